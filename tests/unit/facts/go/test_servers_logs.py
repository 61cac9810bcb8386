"""What is logged of a panic: through zerolog, written at all, with the stack of the panic."""

from __future__ import annotations

from pathlib import Path

import pytest
from go_program import analyse, go_file

from zuno_audit.facts.go import servers

PROGRAM = """
func unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	LOGGER
	defer func() {
		if r := recover(); r != nil {
			LOG
			err = status.Error(codes.Internal, "x")
		}
	}()
	return handler(ctx, req)
}

func level() zerolog.Level {
	l, _ := zerolog.ParseLevel(os.Getenv("LEVEL"))
	return l
}

func main() {
	s := grpc.NewServer(grpc.UnaryInterceptor(unary))
	_ = s
}
"""


def logs_stack(tmp_path: Path, log: str, logger: str = "logger := zerolog.New(os.Stderr)") -> object:
    code = PROGRAM.replace("LOGGER", logger).replace("LOG", log, 1)
    (row,) = servers.table(analyse(tmp_path, {"main.go": go_file(code)})).rows
    return row.get("logs_stack").value


STACKS = {
    "good": ("yes", 'logger.Error().Bytes("stack", debug.Stack()).Msg("p")'),
    "runtime good": (
        "yes",
        'buf := make([]byte, 4096)\nn := runtime.Stack(buf, false)\nlogger.Error().Bytes("stack", buf[:n]).Msg("p")',
    ),
    "runtime good2": (
        "yes",
        'buf := make([]byte, 4096)\nbuf = buf[:runtime.Stack(buf, false)]\nlogger.Error().Str("stack", string(buf)).Msg("p")',
    ),
    "runtime whole": (
        "yes",
        'buf := make([]byte, 4096)\nruntime.Stack(buf, false)\nlogger.Error().Str("stack", string(buf)).Msg("p")',
    ),
    "runtime array": (
        "yes",
        'var buf [4096]byte\nn := runtime.Stack(buf[:], false)\nlogger.Error().Bytes("stack", buf[:n]).Msg("p")',
    ),
    "runtime empty": (
        "no",
        'var buf []byte\nn := runtime.Stack(buf, false)\nlogger.Error().Bytes("stack", buf[:n]).Msg("p")',
    ),
    "runtime make 0": (
        "no",
        'buf := make([]byte, 0, 4096)\nn := runtime.Stack(buf, false)\nlogger.Error().Bytes("stack", buf[:n]).Msg("p")',
    ),
    "never filled": ("no", 'buf := make([]byte, 4096)\nlogger.Error().Bytes("stack", buf).Msg("p")'),
    "nil var": ("no", 'var stack []byte\nlogger.Error().Bytes("stack", stack).Msg("p")'),
    "size only": ("no", 'logger.Error().Int("stack", len(debug.Stack())).Msg("p")'),
    "n only": (
        "no",
        'buf := make([]byte, 4096)\nn := runtime.Stack(buf, false)\nlogger.Error().Int("stack", n).Msg("p")',
    ),
    "cut to nothing": ("no", 'logger.Error().Bytes("stack", debug.Stack()[:0]).Msg("p")'),
    "bool": ("no", 'logger.Error().Bool("stack", debug.Stack() != nil).Msg("p")'),
    "shadowed": (
        "no",
        'var stack []byte\nif r != nil { stack := debug.Stack(); _ = stack }\nlogger.Error().Bytes("stack", stack).Msg("p")',
    ),
    "zerolog Stack alone": ("no", 'logger.Error().Stack().Msg("p")'),
    "zerolog Stack err no marshaler": ("no", 'logger.Error().Stack().Err(fmt.Errorf("%v", r)).Msg("p")'),
    "callers": (
        "yes",
        'pcs := make([]uintptr, 32)\nn := runtime.Callers(3, pcs)\nframes := runtime.CallersFrames(pcs[:n])\nvar lines []string\nfor {\nf, more := frames.Next()\nlines = append(lines, fmt.Sprintf("%s:%d", f.File, f.Line))\nif !more { break }\n}\nlogger.Error().Strs("stack", lines).Msg("p")',
    ),
    "caller only": (
        "no",
        '_, file, line, _ := runtime.Caller(2)\nlogger.Error().Str("file", file).Int("line", line).Msg("p")',
    ),
    "in message": ("yes", 'logger.Error().Msgf("p %v\\n%s", r, debug.Stack())'),
    "split lines": (
        "yes",
        'logger.Error().Strs("stack", strings.Split(string(debug.Stack()), "\\n")).Msg("p")',
    ),
    "interface": (
        "yes",
        'logger.Error().Interface("stack", map[string]any{"s": string(debug.Stack())}).Msg("p")',
    ),
    "fields": ("yes", 'logger.Error().Fields(map[string]any{"stack": string(debug.Stack())}).Msg("p")'),
    "sublogger": ("yes", 'l := logger.With().Bytes("stack", debug.Stack()).Logger()\nl.Error().Msg("p")'),
    "never sent": ("no", 'logger.Error().Bytes("stack", debug.Stack())'),
    "debug level": ("yes", 'logger.Debug().Bytes("stack", debug.Stack()).Msg("p")'),
    "discarded event": ("no", 'logger.Error().Bytes("stack", debug.Stack()).Discard().Msg("p")'),
    "sampled": ("yes", 'logger.Error().Bytes("stack", debug.Stack()).Caller().Msg("p")'),
}
LOGGERS = {
    "step by step": (
        "yes",
        'e := logger.Error()\nif s := debug.Stack(); len(s) > 0 { e = e.Bytes("stack", s) }\ne.Msg("p")',
        "logger := zerolog.New(os.Stderr)",
    ),
    "own level below an unknown one of all": (
        "no",
        'logger.Info().Bytes("stack", debug.Stack()).Msg("p")',
        "zerolog.SetGlobalLevel(level())\nlogger := zerolog.New(os.Stderr).Level(zerolog.WarnLevel)",
    ),
    "unknown level of all": (
        "unknown",
        'logger.Debug().Bytes("stack", debug.Stack()).Msg("p")',
        "zerolog.SetGlobalLevel(level())\nlogger := zerolog.New(os.Stderr)",
    ),
    "before the panic": (
        "no",
        'logger.Error().Bytes("stack", stack).Msg("p")',
        "logger := zerolog.New(os.Stderr)\nstack := debug.Stack()",
    ),
    "debug level info": (
        "no",
        'logger.Debug().Bytes("stack", debug.Stack()).Msg("p")',
        "logger := zerolog.New(os.Stderr).Level(zerolog.InfoLevel)",
    ),
    "info level error": (
        "no",
        'logger.Info().Bytes("stack", debug.Stack()).Msg("p")',
        "logger := zerolog.New(os.Stderr).With().Timestamp().Logger().Level(zerolog.ErrorLevel)",
    ),
    "raised again": (
        "yes",
        'logger.Debug().Bytes("stack", debug.Stack()).Msg("p")',
        "logger := zerolog.New(os.Stderr).Level(zerolog.InfoLevel).Level(zerolog.DebugLevel)",
    ),
    "withlevel": (
        "no",
        'logger.WithLevel(zerolog.DebugLevel).Bytes("stack", debug.Stack()).Msg("p")',
        "logger := zerolog.New(os.Stderr).Level(zerolog.InfoLevel)",
    ),
    "err": (
        "yes",
        'logger.Err(fmt.Errorf("%v", r)).Bytes("stack", debug.Stack()).Msg("p")',
        "logger := zerolog.New(os.Stderr).Level(zerolog.InfoLevel)",
    ),
    "log": (
        "yes",
        'logger.Log().Bytes("stack", debug.Stack()).Msg("p")',
        "logger := zerolog.New(os.Stderr).Level(zerolog.ErrorLevel)",
    ),
    "unknown level debug": (
        "unknown",
        'logger.Debug().Bytes("stack", debug.Stack()).Msg("p")',
        'lv, _ := zerolog.ParseLevel(os.Getenv("L"))\nlogger := zerolog.New(os.Stderr).Level(lv)',
    ),
    "unknown level error": (
        "yes",
        'logger.Error().Bytes("stack", debug.Stack()).Msg("p")',
        'lv, _ := zerolog.ParseLevel(os.Getenv("L"))\nlogger := zerolog.New(os.Stderr).Level(lv)',
    ),
    "parse": (
        "no",
        'logger.Debug().Bytes("stack", debug.Stack()).Msg("p")',
        'lv, _ := zerolog.ParseLevel("info")\nlogger := zerolog.New(os.Stderr).Level(lv)',
    ),
    "global": (
        "no",
        'logger.Debug().Bytes("stack", debug.Stack()).Msg("p")',
        "zerolog.SetGlobalLevel(zerolog.WarnLevel)\nlogger := zerolog.New(os.Stderr)",
    ),
}


@pytest.mark.parametrize("name", STACKS)
def test_an_event_carries_the_stack_of_the_panic(tmp_path: Path, name: str) -> None:
    answer, log = STACKS[name]
    assert logs_stack(tmp_path, log) == answer


@pytest.mark.parametrize("name", LOGGERS)
def test_an_event_is_written(tmp_path: Path, name: str) -> None:
    answer, log, logger = LOGGERS[name]
    assert logs_stack(tmp_path, log, logger) == answer


MARSHALS = """
func init() { zerolog.ErrorStackMarshaler = MARSHALER }
"""


@pytest.mark.parametrize(
    ("marshaler", "error", "answer"),
    [
        ("pkgerrors.MarshalStack", 'pkgerr.Errorf("%v", r)', "yes"),
        ("pkgerrors.MarshalStack", 'fmt.Errorf("%v", r)', "no"),
        ("func(err error) any { return string(debug.Stack()) }", 'fmt.Errorf("%v", r)', "yes"),
    ],
)
def test_an_error_brings_the_stack(tmp_path: Path, marshaler: str, error: str, answer: str) -> None:
    log = f'logger.Error().Stack().Err({error}).Msg("p")'
    code = PROGRAM.replace("LOGGER", "logger := zerolog.New(os.Stderr)").replace("LOG", log, 1)
    files = {
        "main.go": go_file(code).replace("import (", 'import (\n\tpkgerr "github.com/pkg/errors"', 1),
        "log.go": go_file(MARSHALS.replace("MARSHALER", marshaler)).replace(
            "import (", 'import (\n\t"github.com/rs/zerolog/pkgerrors"', 1
        ),
    }
    (row,) = servers.table(analyse(tmp_path, files)).rows
    assert row.get("logs_stack").value == answer


@pytest.mark.parametrize(
    ("assigned", "expected"),
    [
        ("", "yes"),
        ("zlog.Logger = zerolog.New(os.Stderr).With().Timestamp().Logger()", "yes"),
        ("zlog.Logger = zlog.Output(os.Stderr)", "yes"),
        ("zlog.Logger = zerolog.Nop()", "no"),
        ("zlog.Logger = zerolog.New(io.Discard)", "no"),
        ("zlog.Logger = zlog.Logger.Level(zerolog.Disabled)", "no"),
        ("zlog.Logger = zlog.Logger.Level(zerolog.FatalLevel)", "no"),
        ("zlog.Logger = zlog.Logger.Level(level())", "yes"),
        (
            'if os.Getenv("QUIET") != "" { zlog.Logger = zerolog.Nop() } else { zlog.Logger = zerolog.New(os.Stderr) }',
            "unknown",
        ),
    ],
)
@pytest.mark.parametrize(
    "event", ["zlog.Error()", "zlog.Logger.Error()", 'zlog.With().Str("a", "b").Logger().Error()']
)
def test_the_logger_of_the_whole_program(assigned: str, event: str, expected: str, tmp_path: Path) -> None:
    code = PROGRAM.replace("LOGGER", "").replace("LOG", event + '.Bytes("stack", debug.Stack()).Msg("p")', 1)
    set_up = f"func setUp() {{\n\t{assigned}\n}}\n"
    main = go_file(code + set_up).replace(
        "import (", 'import (\n\tzlog "github.com/rs/zerolog/log"\n\t"io"', 1
    )
    (row,) = servers.table(analyse(tmp_path, {"main.go": main})).rows
    assert row.get("logs_stack").value == expected
