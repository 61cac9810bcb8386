"""Decoders of EVM logs, tried out on small programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from trees import store_of, values

from zuno_audit.facts.go import abi_definitions, decoders, package_uses
from zuno_audit.model.entity import Entity, Table

SIGNATURE = "TransferBatch(address indexed,address indexed,address indexed,uint256[],uint256[])"
ABI = """[{"type": "event", "name": "TransferBatch", "anonymous": false, "inputs": [
  {"indexed": true, "name": "operator", "type": "address"},
  {"indexed": true, "name": "from", "type": "address"},
  {"indexed": true, "name": "to", "type": "address"},
  {"indexed": false, "name": "ids", "type": "uint256[]"},
  {"indexed": false, "name": "values", "type": "uint256[]"}]}]"""

PROGRAM = (
    """package main

import (
	"errors"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/core/types"
)

const text = `"""
    + ABI
    + """`

type Batch struct {
	Operator    string
	Ids, Values []string
}

type indexer struct{ token abi.ABI }

func newIndexer() (*indexer, error) {
	token, err := abi.JSON(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	return &indexer{token: token}, nil
}

func main() {
	one, err := newIndexer()
	if err != nil {
		panic(err)
	}
	_, _ = one.parse(types.Log{})
}

func (x *indexer) parse(entry types.Log) (*Batch, error) {
	out := map[string]any{}
	if err := x.token.UnpackIntoMap(out, "TransferBatch", entry.Data); err != nil {
		return nil, err
	}
	ids, ok := out["ids"].([]*big.Int)
	if !ok {
		return nil, errors.New("ids")
	}
	amounts, ok := out["values"].([]*big.Int)
	if !ok {
		return nil, errors.New("values")
	}
	batch := &Batch{Operator: entry.Topics[1].Hex()}
	for _, id := range ids {
		batch.Ids = append(batch.Ids, id.String())
	}
	for _, amount := range amounts {
		batch.Values = append(batch.Values, amount.String())
	}
	return batch, nil
}
"""
)


def decoded(root: Path, program: str, more: Mapping[str, str] | None = None) -> Table:
    """The table of a module with this main.go."""
    files = {"go.mod": "module example.com/x\n\ngo 1.22\n", "main.go": program, **(more or {})}
    return store_of(root, files).get(decoders.table)


def only(table: Table) -> Entity:
    """The one row."""
    assert len(table.rows) == 1, [row.location for row in table.rows]
    return table.rows[0]


def changed(*edits: tuple[str, str]) -> str:
    """The program with texts replaced."""
    out = PROGRAM
    for old, new in edits:
        assert old in out, old
        out = out.replace(old, new)
    return out


def test_a_decoder_that_keeps_everything(tmp_path: Path) -> None:
    row = only(decoded(tmp_path, PROGRAM))
    assert values(row, "function", "decode", "method", "event") == (
        "parse",
        "abi",
        "UnpackIntoMap",
        "TransferBatch",
    )
    assert values(row, "error", "arrays", "definition", "used") == ("checked", "safe", SIGNATURE, "yes")
    assert PROGRAM.splitlines()[row.location.line - 1].strip().startswith("if err := x.token.UnpackIntoMap")


CHECK = 'if err := x.token.UnpackIntoMap(out, "TransferBatch", entry.Data); err != nil {\n\t\treturn nil, err\n\t}'
IDS = 'ids, ok := out["ids"].([]*big.Int)\n\tif !ok {\n\t\treturn nil, errors.New("ids")\n\t}'
IDS_LOOP = "for _, id := range ids {\n\t\tbatch.Ids = append(batch.Ids, id.String())\n\t}"
BOTH = IDS_LOOP + (
    "\n\tfor _, amount := range amounts {\n\t\tbatch.Values = append(batch.Values, amount.String())\n\t}"
)
SEEN = (
    "seen := map[string]bool{}\n\tfor _, id := range ids {\n\t\tif seen[id.String()] {\n\t\t\tcontinue\n\t\t}\n"
    "\t\tseen[id.String()] = true\n\t\tbatch.Ids = append(batch.Ids, id.String())\n\t}"
)
LAST = (
    'last := ""\n\tfor _, id := range ids {\n\t\tif id.String() != last {\n'
    "\t\t\tbatch.Ids = append(batch.Ids, id.String())\n\t\t}\n\t\tlast = id.String()\n\t}"
)
CALL = 'x.token.UnpackIntoMap(out, "TransferBatch", entry.Data)'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("id.String()", "id.Text(10)"),
        ("id.String()", "string(id.Append(nil, 10))"),
        (IDS_LOOP, f"var wait sync.WaitGroup\n\twait.Add(1)\n\tgo func() {{\n\t{IDS_LOOP}\n\twait.Done()\n\t}}()\n\twait.Wait()"),
        ("id.String()", 'fmt.Sprintf("%d", id)'),
        ("id.String()", "fmt.Sprint(id)"),
        ("id.String()", "new(big.Int).Set(id).String()"),
        ("id.String()", "new(big.Int).SetBytes(id.Bytes()).String()"),
        ("id.String()", "new(big.Float).SetInt(id).Text('f', 0)"),
        (IDS_LOOP, IDS_LOOP + '\n\tbatch.Ids = strings.Split(strings.Join(batch.Ids, ","), ",")'),
        (IDS_LOOP, IDS_LOOP.replace("batch.Ids = append(batch.Ids, id.String())", "text, err := id.MarshalText()\n\t\tif err != nil {\n\t\t\treturn nil, err\n\t\t}\n\t\tbatch.Ids = append(batch.Ids, string(text))")),
        (BOTH, "all := make([]string, 0, len(ids)+len(amounts))\n\t" + BOTH.replace("batch.Ids", "all").replace("batch.Values", "all") + "\n\tbatch.Ids, batch.Values = all[:len(ids)], all[len(ids):]"),
        (IDS_LOOP, "batch.Ids = make([]string, len(ids))\n\tfor i := 1; i <= len(ids); i++ {\n\t\tbatch.Ids[i-1] = ids[i-1].String()\n\t}"),
        (IDS_LOOP, "batch.Ids = make([]string, len(ids))\n\tfor i := range ids {\n\t\tbatch.Ids[i] = ids[i].String()\n\t}"),
        (IDS_LOOP, "for i := 0; i < len(ids); i++ {\n\t\tbatch.Ids = append(batch.Ids, ids[i].String())\n\t}"),
        (CHECK, f"err := {CALL}\n\tif err != nil {{\n\t\treturn nil, err\n\t}}"),
        (CALL, 'x.token.Events["TransferBatch"].Inputs.NonIndexed().UnpackIntoMap(out, entry.Data)'),
        (CALL, 'x.token.Events["TransferBatch"].Inputs.UnpackIntoMap(out, entry.Data)'),
        (
            BOTH,
            "if len(ids) != len(amounts) {\n\t\treturn nil, errors.New(\"uneven\")\n\t}\n"
            "\tfor i, id := range ids {\n\t\tbatch.Ids = append(batch.Ids, id.String())\n"
            "\t\tbatch.Values = append(batch.Values, amounts[i].String())\n\t}",
        ),
        (
            BOTH,
            "batch.Ids = lo.Map(ids, func(n *big.Int, _ int) string { return n.String() })\n"
            "\tbatch.Values = lo.Map(amounts, func(n *big.Int, _ int) string { return n.String() })",
        ),
    ],
)  # fmt: skip
def test_the_same_meaning_written_otherwise(tmp_path: Path, old: str, new: str) -> None:
    program = changed((old, new)).replace(
        '"errors"', '"errors"\n\t"fmt"\n\t"sync"' + ('\n\n\t"github.com/samber/lo"' if "lo." in new else "")
    )
    row = only(decoded(tmp_path, program))
    assert values(row, "decode", "error", "arrays") == ("abi", "checked", "safe")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("id.String()", "fmt.Sprint(id.Uint64())"),
        ("id.String()", "strconv.FormatInt(id.Int64(), 10)"),
        ("id.String()", "id.Text(16)"),
        ("id.String()", 'fmt.Sprintf("%x", id)'),
        (IDS_LOOP, "batch.Ids = []string{fmt.Sprint(ids)}"),
        ("id.String()", "hex.EncodeToString(id.Bytes())"),
        ("id.String()", 'strings.TrimLeft(id.String(), "0")'),
        ("id.String()", 'fmt.Sprintf("%064x", id)'),
        ("id.String()", "new(big.Float).SetPrec(53).SetInt(id).Text('f', 0)"),
        ("id.String()", "new(big.Float).SetInt(id).String()"),
        (IDS_LOOP, IDS_LOOP.replace("batch.Ids = append(batch.Ids, id.String())", 'f, _ := new(big.Float).SetInt(id).Float64()\n\t\tbatch.Ids = append(batch.Ids, fmt.Sprintf("%.0f", f))')),
        (IDS_LOOP, IDS_LOOP + "\n\tsort.Strings(batch.Ids)"),
        (IDS_LOOP, IDS_LOOP + "\n\tslices.Reverse(batch.Ids)"),
        (IDS_LOOP, IDS_LOOP + "\n\tbatch.Ids = slices.Compact(batch.Ids)"),
        (BOTH, "batch.Ids = make([]string, len(ids))\n\tbatch.Values = batch.Ids\n\t" + BOTH.replace("_, id", "i, id").replace("_, amount", "i, amount").replace("batch.Ids = append(batch.Ids, id.String())", "batch.Ids[i] = id.String()").replace("batch.Values = append(batch.Values, amount.String())", "batch.Values[i] = amount.String()")),
        (BOTH, "buffer := make([]string, 0, 200)\n\tbatch.Ids, batch.Values = buffer, buffer\n\t" + BOTH),
        (BOTH, IDS_LOOP + "\n\tbatch.Values = batch.Ids[:0]" + BOTH.removeprefix(IDS_LOOP)),
        ("range ids {", "range ids[1:] {"),
        ("range ids {", "range ids[:min(len(ids), 100)] {"),
        ("range ids {", "range ids[:min(len(ids), 500)] {"),
        (IDS_LOOP, IDS_LOOP.replace("_, id := range ids {", "i, id := range ids {\n\t\tif i == 1000 {\n\t\t\tbreak\n\t\t}")),
        (IDS_LOOP, "left := 400\n\t" + IDS_LOOP.replace("range ids {", "range ids {\n\t\tif left -= 1; left < 0 {\n\t\t\tbreak\n\t\t}")),
        (IDS_LOOP, "const most = 256\n\tif len(ids) > most {\n\t\tids = ids[:most]\n\t}\n\t" + IDS_LOOP),
        (IDS_LOOP, f"go func() {{\n\t{IDS_LOOP}\n\t}}()"),
        (IDS_LOOP, f"if os.Getenv(\"IDS\") != \"\" {{\n\t{IDS_LOOP}\n\t}}"),
        ("range ids {", "range amounts {"),
        (IDS_LOOP, "for i := 0; i < len(ids)-1; i++ {\n\t\tbatch.Ids = append(batch.Ids, ids[i].String())\n\t}"),
        (IDS_LOOP, "batch.Ids = make([]string, len(ids))\n\tfor _, id := range ids {\n\t\tbatch.Ids = append(batch.Ids, id.String())\n\t}"),
        (IDS_LOOP, IDS_LOOP.replace("range ids {", "range ids {\n\t\tif id.Sign() == 0 {\n\t\t\tcontinue\n\t\t}")),
        (IDS_LOOP, SEEN),
        (IDS_LOOP, SEEN.replace("id.String()]", 'id.String()+"/"+amounts[i].String()]').replace("_, id", "i, id")),
        (IDS_LOOP, LAST),
        (BOTH, BOTH.replace("range amounts {", "range amounts {\n\t\tif amount.BitLen() == 0 {\n\t\t\tcontinue\n\t\t}")),
        (IDS, 'ids := out["ids"].([]*big.Int)'),
        (IDS, 'ids, _ := out["ids"].([]*big.Int)'),
        ('out["ids"]', 'out["_ids"]'),
        (BOTH, BOTH.replace("batch.Ids", "batch.X").replace("batch.Values", "batch.Ids").replace("batch.X", "batch.Values")),
        (
            BOTH,
            "for i, id := range ids {\n\t\tbatch.Ids = append(batch.Ids, id.String())\n"
            "\t\tbatch.Values = append(batch.Values, amounts[i].String())\n\t}",
        ),
    ],
)  # fmt: skip
def test_numbers_that_get_lost(tmp_path: Path, old: str, new: str) -> None:
    row = only(
        decoded(
            tmp_path,
            changed(
                (old, new),
                (
                    '"errors"',
                    '"encoding/hex"\n\t"errors"\n\t"fmt"\n\t"os"\n\t"slices"\n\t"sort"\n\t"strconv"',
                ),
            ),
        )
    )
    assert values(row, "decode", "error", "arrays") == ("abi", "checked", "unsafe")
    assert row.get("arrays").because


REFUSED = 'return nil, errors.New("too many")'


@pytest.mark.parametrize(
    ("before", "inside", "arrays"),
    [
        ("if len(ids) > 1500 {\n\t\tids = ids[:1500]\n\t}", "", "unsafe"),
        ("if len(ids) > 1500 {\n\t\t" + REFUSED + "\n\t}", "", "safe"),
        ("if len(ids) > 1<<20 {\n\t\tids = ids[:1<<20]\n\t}", "", "unsafe"),
        ("if len(ids) > 1<<20 {\n\t\t" + REFUSED + "\n\t}", "", "safe"),
        ("", "if i == 10000 {\n\t\t\tbreak\n\t\t}", "unsafe"),
        ("", "if i == 10000 {\n\t\t\t" + REFUSED + "\n\t\t}", "safe"),
        ("left := 40000", "if left--; left < 0 {\n\t\t\tbreak\n\t\t}", "unsafe"),
        ("ids = ids[:int(math.Min(float64(len(ids)), 40))]", "", "unsafe"),
        ("ids = ids[:int(math.Min(float64(len(ids)), 4000))]", "", "unsafe"),
        ("if math.Ceil(float64(len(ids))/50) > 100000 {\n\t\t" + REFUSED + "\n\t}", "", "safe"),
        ("batch.Ids = make([]string, 0, min(len(ids), 4096))", "", "safe"),
        (
            "for len(ids) > 5000 {\n\t\tfor _, id := range ids[:5000] {\n"
            "\t\t\tbatch.Ids = append(batch.Ids, id.String())\n\t\t}\n\t\tids = ids[5000:]\n\t}", "", "safe",
        ),
        (
            "for len(ids) > 5000 {\n\t\tfor _, id := range ids[:4999] {\n"
            "\t\t\tbatch.Ids = append(batch.Ids, id.String())\n\t\t}\n\t\tids = ids[5000:]\n\t}", "", "unsafe",
        ),
    ],
)  # fmt: skip
def test_a_limit_of_the_length(tmp_path: Path, before: str, inside: str, arrays: str) -> None:
    loop = IDS_LOOP
    if inside:
        loop = loop.replace("_, id := range ids {", f"i, id := range ids {{\n\t\t_ = i\n\t\t{inside}")
    program = changed((IDS_LOOP, f"{before}\n\t{loop}"), ('"errors"', '"errors"\n\t"math"'))
    assert only(decoded(tmp_path, program)).get("arrays").value == arrays


def test_more_limits_than_are_tried(tmp_path: Path) -> None:
    guards = "".join(f"if len(ids) == {n} {{\n\t\t{REFUSED}\n\t}}\n\t" for n in range(1000, 1009))
    arrays = only(decoded(tmp_path, changed((IDS_LOOP, guards + IDS_LOOP)))).get("arrays")
    assert arrays.value is None
    assert "1000 elements" in arrays.because


def test_many_decoders_share_the_work_that_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "MOST_STEPS", 20_000)
    more = "".join(
        PROGRAM[PROGRAM.index("func (x *indexer) parse") :].replace("parse", f"parse{n}") for n in range(20)
    )
    table = decoded(tmp_path, PROGRAM + more)
    assert table.problems
    assert {row.get("arrays").value for row in table.rows} == {"safe", None}


HASH = """
func topic(text string) string {
	hash := sha3.NewLegacyKeccak256()
	hash.Write([]byte(text))
	return "0x" + hex.EncodeToString(hash.Sum(nil))
}

var (
	single = topic("TransferSingle(address,address,address,uint256,uint256)")
	several = topic("TransferBatch(address,address,address,uint256[],uint256[])")
)
"""


@pytest.mark.parametrize(("name", "arrays"), [("several", "safe"), ("single", "unsafe")])
def test_a_topic_that_is_computed(tmp_path: Path, name: str, arrays: str) -> None:
    check = f'if entry.Topics[0].Hex() != {name} {{\n\t\treturn nil, errors.New("another event")\n\t}}\n\t'
    imports = '"encoding/hex"\n\t"errors"', '"math/big"\n\t"strings"\n\n\t"golang.org/x/crypto/sha3"'
    program = changed(("out := map", check + "out := map"), ('"errors"', imports[0])) + HASH
    program = program.replace('"math/big"\n\t"strings"\n', imports[1])
    assert only(decoded(tmp_path, program)).get("arrays").value == arrays


def test_a_large_number_that_is_no_limit_of_the_length(tmp_path: Path) -> None:
    program = changed(
        (
            IDS_LOOP,
            f'if entry.BlockNumber > 1000000 && len(entry.Topics) != 1000001 {{\n\t\tbatch.Operator = ""\n\t}}\n\t{IDS_LOOP}',
        )
    )
    assert only(decoded(tmp_path, program)).get("arrays").value == "safe"


@pytest.mark.parametrize(
    "new",
    [
        f"_ = {CALL}",
        CALL,
        f"err := {CALL}\n\terr = nil\n\tif err != nil {{\n\t\treturn nil, err\n\t}}",
        f"if err := {CALL}; err != nil {{\n\t\treturn &Batch{{Operator: entry.Address.Hex()}}, nil\n\t}}",
    ],
)
def test_an_error_that_is_not_acted_on(tmp_path: Path, new: str) -> None:
    assert only(decoded(tmp_path, changed((CHECK, new)))).get("error").value == "ignored"


@pytest.mark.parametrize(
    ("caller", "error"),
    [
        (
            "batch, err := one.parse(types.Log{})\n\tif err == nil {\n\t\tprintln(batch.Operator)\n\t}",
            "ignored",
        ),
        (
            "batch, err := one.parse(types.Log{})\n\tif err == nil && batch != nil {\n\t\tprintln(batch.Operator)\n\t}",
            "checked",
        ),
    ],
)
def test_neither_a_result_nor_an_error(tmp_path: Path, caller: str, error: str) -> None:
    silent = CHECK.replace("return nil, err", "return nil, nil")
    program = changed((CHECK, silent), ("_, _ = one.parse(types.Log{})", caller))
    assert only(decoded(tmp_path, program)).get("error").value == error


def test_data_cut_by_hand(tmp_path: Path) -> None:
    by_hand = (
        "ids := []*big.Int{new(big.Int).SetBytes(entry.Data[0:32])}\n"
        "\tamounts := []*big.Int{new(big.Int).SetBytes(entry.Data[32:64])}\n"
    )
    start, end = PROGRAM.index("\tout := map"), PROGRAM.index("\tbatch := &Batch")
    program = (PROGRAM[:start] + "\t" + by_hand + PROGRAM[end:]).replace("Batch", "TransferBatchEvent")
    row = only(decoded(tmp_path, program))
    assert values(row, "decode", "method", "event", "error", "arrays") == (
        "manual", None, "TransferBatch", None, "manual",
    )  # fmt: skip
    assert "entry.Data[0:32]" in (tmp_path / "main.go").read_text().splitlines()[row.location.line - 1]


HAND = """
func byHand(data []byte) (*Batch, error) {
	if len(data) < 64 {
		return nil, errors.New("short")
	}
	return &Batch{Ids: []string{new(big.Int).SetBytes(data[:32]).String()}}, nil
}
"""


def test_a_fall_back_by_hand(tmp_path: Path) -> None:
    program = changed((CHECK, CHECK.replace("return nil, err", "return byHand(entry.Data)"))) + HAND
    row = only(decoded(tmp_path, program))
    assert values(row, "decode", "method", "error", "arrays") == ("mixed", "UnpackIntoMap", "checked", "safe")
    assert values(row, "abi_first") == ("yes",)


@pytest.mark.parametrize(
    "first",
    [
        "\tif len(entry.Data) >= 128 {\n\t\treturn byHand(entry.Data)\n\t}\n",
        "\tif cut, err := byHand(entry.Data); err == nil {\n\t\treturn cut, nil\n\t}\n",
    ],
)
def test_by_hand_before_the_abi_is_asked(tmp_path: Path, first: str) -> None:
    row = only(decoded(tmp_path, changed(("\tout := map", first + "\tout := map")) + HAND))
    assert values(row, "decode", "abi_first") == ("mixed", "unknown")


def test_by_hand_after_the_abi_has_decoded(tmp_path: Path) -> None:
    last = (
        "\tif cut, err := byHand(entry.Data); err == nil {\n\t\treturn cut, nil\n\t}\n\treturn batch, nil\n"
    )
    row = only(decoded(tmp_path, changed(("\treturn batch, nil\n", last)) + HAND))
    assert values(row, "abi_first") == ("unknown",)


def test_a_fall_back_that_is_always_taken(tmp_path: Path) -> None:
    always = CHECK.replace("err != nil", "err != nil || len(out) > 0").replace(
        "nil, err", "byHand(entry.Data)"
    )
    row = only(decoded(tmp_path, changed((CHECK, always)) + HAND))
    assert values(row, "decode", "arrays") == ("manual", "manual")


def test_an_interface_is_filled(tmp_path: Path) -> None:
    start, end = PROGRAM.index("\tout := map"), PROGRAM.index("\tbatch := &Batch")
    body = (
        "\tvar out struct{ Ids, Values []*big.Int }\n"
        '\tif err := x.token.UnpackIntoInterface(&out, "TransferBatch", entry.Data); err != nil {\n'
        "\t\treturn nil, err\n\t}\n\tids, amounts := out.Ids, out.Values\n"
    )
    good = only(decoded(tmp_path / "a", PROGRAM[:start] + body + PROGRAM[end:]))
    assert values(good, "method", "error", "arrays") == ("UnpackIntoInterface", "checked", "safe")
    lost = body.replace("Ids, Values", "IDs, Values").replace("out.Ids", "out.IDs")  # abi fills Ids only
    assert (
        only(decoded(tmp_path / "b", PROGRAM[:start] + lost + PROGRAM[end:])).get("arrays").value == "unsafe"
    )


@pytest.mark.parametrize(
    ("assertion", "arrays"),
    [
        ("out[{}].([]*big.Int)", "unsafe"),
        ("*abi.ConvertType(out[{}], new([]*big.Int)).(*[]*big.Int)", "safe"),
    ],
)
def test_values_by_position(tmp_path: Path, assertion: str, arrays: str) -> None:
    start, end = PROGRAM.index("\tout := map"), PROGRAM.index("\tbatch := &Batch")
    body = (
        '\tout, err := x.token.Unpack("TransferBatch", entry.Data)\n\tif err != nil {\n\t\treturn nil, err\n\t}\n'
        f"\tids := {assertion.format(0)}\n\tamounts := {assertion.format(1)}\n"
    )
    row = only(decoded(tmp_path, PROGRAM[:start] + body + PROGRAM[end:]))
    assert values(row, "method", "error", "arrays") == ("Unpack", "checked", arrays)


@pytest.mark.parametrize(
    ("old", "new", "definition"),
    [
        ('"indexed": false, "name": "ids"', '"indexed": true, "name": "ids"', SIGNATURE.replace("uint256[],", "uint256[] indexed,")),
        ('"name": "values", "type": "uint256[]"', '"name": "values", "type": "uint128[]"', SIGNATURE.replace("[],uint256[]", "[],uint128[]")),
        ('"name": "TransferBatch"', '"name": "TransferSingle"', "none"),
        ('"uint256[]"}]}]', '"uint256[]"},]}]', "none"),
    ],
)  # fmt: skip
def test_the_abi_decides(tmp_path: Path, old: str, new: str, definition: str) -> None:
    assert only(decoded(tmp_path, changed((old, new)))).get("definition").value == definition


@pytest.mark.parametrize(("length", "arrays"), [("ids", "unsafe"), ("amounts", "safe")])
def test_an_element_that_is_written_beyond_the_end(length: str, arrays: str, tmp_path: Path) -> None:
    fill = (
        IDS_LOOP + f"\n\tbatch.Values = make([]string, len({length}))\n"
        "\tfor i, amount := range amounts {\n\t\tbatch.Values[i] = amount.String()\n\t}"
    )
    assert only(decoded(tmp_path, changed((BOTH, fill)))).get("arrays").value == arrays


def test_arrays_that_the_abi_names_in_another_order_than_the_standard(tmp_path: Path) -> None:
    row = only(
        decoded(
            tmp_path,
            changed(
                ('"ids", "type"', '"x", "type"'),
                ('"values", "type"', '"ids", "type"'),
                ('"x", "type"', '"values", "type"'),
            ),
        )
    )
    assert values(row, "arrays", "definition") == ("unsafe", SIGNATURE)


def test_an_abi_from_outside_is_not_known(tmp_path: Path) -> None:
    row = only(decoded(tmp_path, changed(("strings.NewReader(text)", 'strings.NewReader(os.Getenv("ABI"))'))))
    assert values(row, "event", "arrays", "definition") == ("TransferBatch", "safe", None)


def test_an_embedded_abi(tmp_path: Path) -> None:
    program = changed(
        (f"const text = `{ABI}`", "//go:embed token.json\nvar text string"),
        ('"errors"', '_ "embed"\n\t"errors"'),
    )
    row = only(decoded(tmp_path, program, {"token.json": ABI}))
    assert values(row, "arrays", "definition") == ("safe", SIGNATURE)


def test_helpers_in_another_package(tmp_path: Path) -> None:
    texts = """package texts

import "math/big"

func Decimals(numbers []*big.Int) []string {
	out := make([]string, 0, len(numbers))
	for _, n := range numbers {
		out = append(out, n.String())
	}
	return out
}
"""
    program = changed(
        (BOTH, "batch.Ids, batch.Values = texts.Decimals(ids), texts.Decimals(amounts)"),
        ('"errors"', '"errors"\n\n\t"example.com/x/texts"'),
    )
    assert only(decoded(tmp_path / "a", program, {"texts/t.go": texts})).get("arrays").value == "safe"
    lost = texts.replace("n.String()", "strconv.Itoa(int(n.Int64()))").replace(
        '"math/big"', '("math/big"; "strconv")'
    )
    assert only(decoded(tmp_path / "b", program, {"texts/t.go": lost})).get("arrays").value == "unsafe"


def test_calldata_and_results_of_calls_are_no_logs(tmp_path: Path) -> None:
    program = """package main

import (
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/core/types"
)

func input(contract abi.ABI, tx *types.Transaction) (map[string]any, error) {
	out := map[string]any{}
	method, err := contract.MethodById(tx.Data()[:4])
	if err != nil {
		return nil, err
	}
	return out, method.Inputs.UnpackIntoMap(out, tx.Data()[4:])
}

func name(contract abi.ABI, result []byte) ([]any, error) {
	return contract.Unpack("name", result)
}

func main() {}
"""
    assert decoded(tmp_path, program).rows == ()


def test_data_handed_to_a_decoder_of_bytes(tmp_path: Path) -> None:
    program = """package main

import (
	"bytes"
	"errors"

	"github.com/ethereum/go-ethereum/accounts/abi"
)

const text = `[{"type": "event", "name": "Deposit", "inputs": [{"name": "key", "type": "bytes", "indexed": false}]}]`

func Unpack(data []byte) ([]byte, error) {
	contract, err := abi.JSON(bytes.NewReader([]byte(text)))
	if err != nil {
		return nil, err
	}
	parts, err := contract.Unpack("Deposit", data)
	if err != nil {
		return nil, errors.New("unpack")
	}
	return parts[0].([]byte), nil
}

func main() { _, _ = Unpack(nil) }
"""
    row = only(decoded(tmp_path, program))
    assert values(row, "function", "decode", "method", "event", "error", "arrays") == (
        "Unpack", "abi", "Unpack", "Deposit", "checked", None,
    )  # fmt: skip


def test_a_log_type_of_the_repository(tmp_path: Path) -> None:
    program = changed(
        ("types.Log", "Log"),
        ('\n\t"github.com/ethereum/go-ethereum/core/types"', ""),
        ("type indexer", "type Log struct {\n\tTopics []string\n\tData   string\n}\n\ntype indexer"),
        ("out := map", 'data, err := hex.DecodeString(strings.TrimPrefix(entry.Data, "0x"))\n\tif err != nil {\n\t\treturn nil, err\n\t}\n\tout := map'),
        ('"TransferBatch", entry.Data', '"TransferBatch", data'),
        ("entry.Topics[1].Hex()", "entry.Topics[1]"),
        ('"errors"', '"encoding/hex"\n\t"errors"'),
    )  # fmt: skip
    row = only(decoded(tmp_path, program))
    assert values(row, "decode", "error", "arrays") == ("abi", "checked", "safe")


def test_a_decoder_that_nothing_uses(tmp_path: Path) -> None:
    row = only(decoded(tmp_path, changed(("_, _ = one.parse(types.Log{})", "_ = one"))))
    assert row.get("used").value == "no"


def test_a_method_of_the_same_name_is_no_use(tmp_path: Path) -> None:
    other = "type other struct{}\n\nfunc (other) parse() {}\n\ntype indexer"
    program = changed(
        ("_, _ = one.parse(types.Log{})", "_ = one\n\tother{}.parse()"), ("type indexer", other)
    )
    assert only(decoded(tmp_path, program)).get("used").value == "no"


def test_a_file_that_does_not_parse(tmp_path: Path) -> None:
    table = decoded(tmp_path, PROGRAM + "\nfunc broken( {\n")
    assert [p.path for p in table.problems] == ["main.go"]


def test_tests_and_vendored_code_have_no_rows(tmp_path: Path) -> None:
    store = store_of(
        tmp_path, {"go.mod": "module example.com/x\n", "a_test.go": PROGRAM, "vendor/y/y.go": PROGRAM}
    )
    assert store.get(decoders.table).rows == ()


def test_abi_definitions(tmp_path: Path) -> None:
    files = {
        "good.json": ABI,
        "artifact.json": '{"contractName": "X", "abi": ' + ABI + "}",
        "broken.json": ABI + "]",
        "other.json": '{"event": 1, "inputs": 2, "indexed": 3}',
        "main.go": PROGRAM,
        "test/good.json": ABI,
        "contracts/ERC1155.json": "{}",
        "contracts/erc20.abi": "",
    }
    rows = {r.location.path: r for r in store_of(tmp_path, files).get(abi_definitions.table).rows}
    assert {p: r.get("valid").value for p, r in rows.items()} == {
        "contracts/ERC1155.json": "no", "contracts/erc20.abi": "no",
        "artifact.json": "yes", "broken.json": "no", "good.json": "yes", "main.go": "yes", "other.json": "no",
    }  # fmt: skip
    assert rows["good.json"].get("events").value == (SIGNATURE,)
    assert values(rows["main.go"], "form", "name") == ("go", "text")


@pytest.mark.parametrize(
    ("imported", "use", "used"),
    [
        ('"github.com/ethereum/go-ethereum/accounts/abi"', "func f(x abi.ABI) {}", "yes"),
        ('eth "github.com/ethereum/go-ethereum/accounts/abi"', "type t struct{ x eth.ABI }", "yes"),
        ('_ "github.com/ethereum/go-ethereum/accounts/abi"', "", "no"),
        ('"github.com/ethereum/go-ethereum/accounts/abi"', "var _ abi.ABI", "no"),
        ('"github.com/ethereum/go-ethereum/accounts/abi"', "func f() { _ = abi.JSON }", "no"),
        ('"github.com/ethereum/go-ethereum/accounts/abi"', "func f() { _, _ = abi.JSON(nil) }", "yes"),
        ('"github.com/ethereum/go-ethereum/accounts/abi"', "var _ = func() { abi.JSON(nil) }", "no"),
        ('"github.com/ethereum/go-ethereum/accounts/abi"', "func f() { if false { abi.JSON(nil) } }", "no"),
        ('"github.com/ethereum/go-ethereum/accounts/abi"', "func f() { return; abi.JSON(nil) }", "no"),
    ],
)
def test_imports_of_the_abi_package(tmp_path: Path, imported: str, use: str, used: str) -> None:
    program = f"package main\n\nimport {imported}\n\n{use}\n"
    table = store_of(tmp_path, {"go.mod": "module example.com/x\n", "main.go": program}).get(
        package_uses.table
    )
    assert only(table).get("used").value == used


BINDING = (
    """// Code generated - DO NOT EDIT.
package token

import (
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi/bind"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

var TokenMetaData = &bind.MetaData{ABI: `"""
    + ABI
    + """`}

type Filterer struct{ contract *bind.BoundContract }

type Batch struct {
	Operator, From, To common.Address
	Ids, Values        []*big.Int
}

func NewFilterer(at common.Address) (*Filterer, error) {
	parsed, err := TokenMetaData.GetAbi()
	if err != nil {
		return nil, err
	}
	return &Filterer{contract: bind.NewBoundContract(at, *parsed, nil, nil, nil)}, nil
}

func (f *Filterer) ParseTransferBatch(log types.Log) (*Batch, error) {
	event := new(Batch)
	if err := f.contract.UnpackLog(event, "TransferBatch", log); err != nil {
		return nil, err
	}
	return event, nil
}
"""
)


@pytest.mark.parametrize(("text", "arrays"), [("id.String()", "safe"), ("fmt.Sprint(id.Int64())", "unsafe")])
def test_a_generated_binding(tmp_path: Path, text: str, arrays: str) -> None:
    program = f"""package main

import (
	"fmt"

	"example.com/x/token"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

type Event struct{{ IDs, Amounts []string }}

func parse(filterer *token.Filterer, entry types.Log) (*Event, error) {{
	raw, err := filterer.ParseTransferBatch(entry)
	if err != nil {{
		return nil, err
	}}
	event := &Event{{}}
	for _, id := range raw.Ids {{
		event.IDs = append(event.IDs, {text})
	}}
	for _, amount := range raw.Values {{
		event.Amounts = append(event.Amounts, amount.String())
	}}
	return event, nil
}}

func main() {{
	filterer, _ := token.NewFilterer(common.Address{{}})
	fmt.Println(parse(filterer, types.Log{{}}))
}}
"""
    row = only(decoded(tmp_path, program, {"token/token.go": BINDING}))
    assert values(row, "function", "decode", "method", "error", "arrays") == (
        "parse", "abi", "UnpackLog", "checked", arrays,
    )  # fmt: skip
    assert (row.location.path, row.location.line) == ("main.go", 14)


def test_one_function_for_several_events(tmp_path: Path) -> None:
    program = """package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/ethclient"
)

const text = `[{"type":"event","name":"Sent","inputs":[{"indexed":false,"name":"n","type":"uint256"}]},
  {"type":"event","name":"Kept","inputs":[{"indexed":false,"name":"n","type":"uint256"}]}]`

func main() {
	client, _ := ethclient.Dial("https://example.org")
	logs, _ := client.FilterLogs(context.Background(), ethereum.FilterQuery{})
	token, _ := abi.JSON(strings.NewReader(text))
	for _, entry := range logs {
		switch entry.Topics[0].Hex() {
		case "0x01":
			sent, err := token.Unpack("Sent", entry.Data)
			if err != nil {
				panic(err)
			}
			fmt.Println(sent)
		default:
			kept, _ := token.Unpack("Kept", entry.Data)
			fmt.Println(kept)
		}
	}
}
"""
    rows = decoded(tmp_path, program).rows
    assert [values(r, "event", "error") for r in rows] == [("Sent", "checked"), ("Kept", "ignored")]
