"""More styles of home-made circuit breakers: the answer, and the settings that the code has."""

from __future__ import annotations

from pathlib import Path

import pytest
from go_program import analyse, go_file

from zuno_audit.facts.go.clients import table

MAIN = """
func main() {
	conn, err := grpc.NewClient("payments:50051", grpc.WithUnaryInterceptor(unary()))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
}
"""
SIGNATURE = """func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
	invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error"""
CALL = "invoker(ctx, method, req, reply, cc, opts...)"
EXECUTE = """
func unary() grpc.UnaryClientInterceptor {
	b := newBreaker()
	return SIGNATURE { return b.Do(func() error { return CALL }) }
}
"""
TWO_STEP = """
func unary() grpc.UnaryClientInterceptor {
	b := newBreaker()
	return SIGNATURE {
		if !b.Allow() {
			return status.Error(codes.Unavailable, "circuit open")
		}
		err := CALL
		b.Report(err == nil)
		return err
	}
}
"""
# name: (source, answer, (max_failures, reset_timeout_s, half_open_max_calls) or None)
STYLES: dict[str, tuple[str, str, tuple[object, ...] | None]] = {
    "enum-string-callbacks-defaults": (
        """
type State int
const (
	StateClosed State = iota
	StateOpen
	StateHalfOpen
)
func (s State) String() string {
	return map[State]string{StateClosed: "closed", StateOpen: "open", StateHalfOpen: "half-open"}[s]
}
type Config struct {
	Name string
	MaxFailures int
	ResetTimeout time.Duration
	HalfOpenMax int
	OnStateChange func(name string, from, to State)
}
type Breaker struct {
	cfg Config
	mu sync.RWMutex
	state State
	failures, successes, inflight int
	last time.Time
}
func New(cfg Config) *Breaker {
	if cfg.MaxFailures <= 0 { cfg.MaxFailures = 5 }
	if cfg.ResetTimeout == 0 { cfg.ResetTimeout = 30 * time.Second }
	if cfg.HalfOpenMax < 1 { cfg.HalfOpenMax = 2 }
	return &Breaker{cfg: cfg}
}
func newBreaker() *Breaker { return New(Config{Name: "x", OnStateChange: func(n string, a, b State) { log.Printf("%s %s->%s", n, a, b) }}) }
var ErrOpen = errors.New("open")
func (b *Breaker) Do(fn func() error) error {
	if err := b.acquire(); err != nil { return fmt.Errorf("breaker %s: %w", b.cfg.Name, err) }
	err := fn()
	b.release(err)
	return err
}
func (b *Breaker) acquire() error {
	b.mu.Lock(); defer b.mu.Unlock()
	switch b.state {
	case StateClosed:
		return nil
	case StateOpen:
		if time.Since(b.last) <= b.cfg.ResetTimeout { return ErrOpen }
		b.setState(StateHalfOpen)
		fallthrough
	case StateHalfOpen:
		if b.inflight >= b.cfg.HalfOpenMax { return ErrOpen }
		b.inflight++
	}
	return nil
}
func (b *Breaker) release(err error) {
	b.mu.Lock(); defer b.mu.Unlock()
	if b.state == StateHalfOpen { b.inflight-- }
	if err != nil {
		b.failures++
		b.last = time.Now()
		if b.state == StateHalfOpen || b.failures >= b.cfg.MaxFailures { b.setState(StateOpen) }
		return
	}
	b.successes++
	if b.state == StateHalfOpen && b.successes >= b.cfg.HalfOpenMax { b.setState(StateClosed) }
	if b.state == StateClosed { b.failures = 0 }
}
func (b *Breaker) setState(s State) {
	old := b.state
	b.state = s
	b.successes = 0
	if s != StateHalfOpen { b.inflight = 0 }
	if b.cfg.OnStateChange != nil && old != s { b.cfg.OnStateChange(b.cfg.Name, old, s) }
}
"""
        + EXECUTE,
        "yes",
        (5, 30.0, 2),
    ),
    "atomic-pointer-state": (
        """
type snapshot struct { fails int; openedAt time.Time }
type Breaker struct { s atomic.Pointer[snapshot] }
func newBreaker() *Breaker { b := &Breaker{}; b.s.Store(&snapshot{}); return b }
func (b *Breaker) Allow() bool {
	s := b.s.Load()
	return s.fails < 5 || time.Since(s.openedAt) >= 10*time.Second
}
func (b *Breaker) Report(ok bool) {
	for {
		old := b.s.Load()
		next := *old
		if ok { next.fails = 0 } else { next.fails++; next.openedAt = time.Now() }
		if b.s.CompareAndSwap(old, &next) { return }
	}
}
"""
        + TWO_STEP,
        "yes",
        (5, 10.0, None),
    ),
    "stats-rate-method": (
        """
type stats struct { total, failed int }
func (s stats) rate() float64 { if s.total == 0 { return 0 }; return float64(s.failed) / float64(s.total) }
func (s *stats) add(failed bool) { s.total++; if failed { s.failed++ } }
type Breaker struct { mu sync.Mutex; st stats; openUntil time.Time; minReq int; threshold float64 }
func newBreaker() *Breaker { return &Breaker{minReq: 4, threshold: 0.5} }
func (b *Breaker) Allow() bool { b.mu.Lock(); defer b.mu.Unlock(); return time.Now().After(b.openUntil) }
func (b *Breaker) Report(ok bool) {
	b.mu.Lock(); defer b.mu.Unlock()
	b.st.add(!ok)
	if b.st.total >= b.minReq && b.st.rate() >= b.threshold {
		b.openUntil = time.Now().Add(15 * time.Second)
		b.st = stats{}
	}
}
"""
        + TWO_STEP,
        "yes",
        (4, 15.0, None),
    ),
    "generic-function": (
        """
type Breaker struct { mu sync.Mutex; fails int; opened time.Time }
func (b *Breaker) before() error { b.mu.Lock(); defer b.mu.Unlock(); if b.fails >= 3 && time.Since(b.opened) < time.Minute { return errors.New("open") }; return nil }
func (b *Breaker) after(err error) { b.mu.Lock(); defer b.mu.Unlock(); if err != nil { b.fails++; b.opened = time.Now() } else { b.fails = 0 } }
func Run[T any](b *Breaker, fn func() (T, error)) (T, error) {
	var zero T
	if err := b.before(); err != nil { return zero, err }
	v, err := fn()
	b.after(err)
	return v, err
}
func unary() grpc.UnaryClientInterceptor {
	b := &Breaker{}
	return SIGNATURE {
		_, err := Run(b, func() (any, error) { return reply, CALL })
		if err != nil && strings.Contains(err.Error(), "open") { return status.Error(codes.Unavailable, err.Error()) }
		return err
	}
}
""",
        "yes",
        (3, 60.0, None),
    ),
    "global-registry-once": (
        """
type Breaker struct { mu sync.Mutex; fails int; opened time.Time }
func (b *Breaker) Do(fn func() error) error {
	b.mu.Lock()
	if b.fails >= 5 && time.Since(b.opened) < 20*time.Second { b.mu.Unlock(); return errors.New("open") }
	b.mu.Unlock()
	err := fn()
	b.mu.Lock(); defer b.mu.Unlock()
	if err != nil { b.fails++; b.opened = time.Now() } else { b.fails = 0 }
	return err
}
type Registry struct { mu sync.Mutex; m map[string]*Breaker }
var (
	once sync.Once
	reg *Registry
)
func Default() *Registry { once.Do(func() { reg = &Registry{m: make(map[string]*Breaker)} }); return reg }
func (r *Registry) GetOrCreate(name string) *Breaker {
	r.mu.Lock(); defer r.mu.Unlock()
	if b, ok := r.m[name]; ok { return b }
	b := &Breaker{}
	r.m[name] = b
	return b
}
func unary() grpc.UnaryClientInterceptor {
	return SIGNATURE {
		return Default().GetOrCreate("payments").Do(func() error { return CALL })
	}
}
""",
        "yes",
        (5, 20.0, None),
    ),
    "closure-only": (
        """
func breaker(max int, wait time.Duration) grpc.UnaryClientInterceptor {
	var mu sync.Mutex
	var fails int
	var until time.Time
	return SIGNATURE {
		mu.Lock()
		if time.Now().Before(until) {
			mu.Unlock()
			return status.Errorf(codes.Unavailable, "circuit open for %s", method)
		}
		mu.Unlock()
		err := CALL
		mu.Lock()
		defer mu.Unlock()
		if status.Code(err) == codes.Unavailable {
			if fails++; fails == max { until = time.Now().Add(wait); fails = 0 }
		} else if err == nil { fails = 0 }
		return err
	}
}
func unary() grpc.UnaryClientInterceptor { return breaker(3, 5*time.Second) }
""",
        "yes",
        (3, 5.0, None),
    ),
    "actor-loop": (
        """
type event struct { kind int; ok bool; reply chan bool }
type Breaker struct { events chan event }
func newBreaker() *Breaker { b := &Breaker{events: make(chan event)}; go b.loop(); return b }
func (b *Breaker) loop() {
	fails := 0
	var opened time.Time
	for e := range b.events {
		switch e.kind {
		case 0:
			e.reply <- fails < 5 || time.Since(opened) > time.Minute
		case 1:
			if e.ok { fails = 0 } else { fails++; opened = time.Now() }
		}
	}
}
func (b *Breaker) Allow() bool { r := make(chan bool); b.events <- event{kind: 0, reply: r}; return <-r }
func (b *Breaker) Report(ok bool) { b.events <- event{kind: 1, ok: ok} }
"""
        + TWO_STEP,
        "unknown",
        None,
    ),
    "ticker-resets": (
        """
type Breaker struct { mu sync.Mutex; fails int; open bool }
func newBreaker() *Breaker {
	b := &Breaker{}
	go func() {
		t := time.NewTicker(30 * time.Second)
		for range t.C { b.mu.Lock(); b.open = false; b.fails = 0; b.mu.Unlock() }
	}()
	return b
}
func (b *Breaker) Allow() bool { b.mu.Lock(); defer b.mu.Unlock(); return !b.open }
func (b *Breaker) Report(ok bool) { b.mu.Lock(); defer b.mu.Unlock(); if ok { b.fails = 0; return }; b.fails++; if b.fails >= 5 { b.open = true } }
"""
        + TWO_STEP,
        "unknown",
        None,
    ),
    "ring-by-hand": (
        """
type Breaker struct { mu sync.Mutex; window []bool; size int; pos int; n int; opened int64 }
func newBreaker() *Breaker { return &Breaker{window: make([]bool, 10), size: 10} }
func (b *Breaker) Allow() bool {
	b.mu.Lock(); defer b.mu.Unlock()
	if b.opened > 0 {
		if time.Now().UnixMilli()-b.opened < 5000 { return false }
		b.opened = 0; b.n = 0; b.pos = 0
	}
	return true
}
func (b *Breaker) Report(ok bool) {
	b.mu.Lock(); defer b.mu.Unlock()
	b.window[b.pos%b.size] = ok
	b.pos++
	if b.n < b.size { b.n++ }
	bad := 0
	for i := range b.window[:b.n] { if !b.window[i] { bad++ } }
	if b.n == b.size && bad*2 > b.size { b.opened = time.Now().UnixMilli() }
}
"""
        + TWO_STEP,
        "yes",
        (10, 5.0, None),
    ),
    "backoff-open-time": (
        """
type Breaker struct { mu sync.Mutex; fails int; opened time.Time; wait time.Duration }
func newBreaker() *Breaker { return &Breaker{wait: time.Second} }
func (b *Breaker) Allow() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.fails < 3 || time.Since(b.opened) > b.wait }
func (b *Breaker) Report(ok bool) {
	b.mu.Lock(); defer b.mu.Unlock()
	if ok { b.fails = 0; b.wait = time.Second; return }
	b.fails++
	b.opened = time.Now()
	if b.fails > 3 { b.wait = min(b.wait*2, time.Minute) }
}
"""
        + TWO_STEP,
        "yes",
        (3, 1.0, None),
    ),
    "defer-unlock-and-named-result": (
        """
type Breaker struct { mu sync.Mutex; fails, max int; opened time.Time; cool time.Duration }
type Option func(*Breaker) error
func WithMax(n int) Option { return func(b *Breaker) error { if n < 1 { return errors.New("max") }; b.max = n; return nil } }
func New(opts ...Option) (*Breaker, error) {
	b := &Breaker{max: 5, cool: time.Minute}
	for _, o := range opts { if err := o(b); err != nil { return nil, err } }
	return b, nil
}
func newBreaker() *Breaker { b, err := New(WithMax(9)); if err != nil { panic(err) }; return b }
func (b *Breaker) Do(fn func() error) (err error) {
	if open, left := b.isOpen(); open { return status.Errorf(codes.Unavailable, "open for %s", left) }
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if err == nil { b.fails = 0; return }
		b.fails++
		if b.fails >= b.max { b.opened = time.Now() }
	}()
	return fn()
}
func (b *Breaker) isOpen() (bool, time.Duration) {
	b.mu.Lock(); defer b.mu.Unlock()
	if b.opened.IsZero() { return false, 0 }
	left := b.cool - time.Since(b.opened)
	if left <= 0 { b.opened = time.Time{}; b.fails = b.max - 1; return false, 0 }
	return true, left
}
"""
        + EXECUTE,
        "yes",
        (9, 60.0, None),
    ),
    "table-of-transitions": (
        """
type state int
const ( closed state = iota; open; half )
type transition struct { on string; to state }
type Breaker struct { mu sync.Mutex; st state; n int; at time.Time; table map[state][]transition }
func newBreaker() *Breaker { return &Breaker{table: map[state][]transition{closed: {{"trip", open}}, open: {{"timeout", half}}, half: {{"ok", closed}, {"fail", open}}}} }
func (b *Breaker) fire(ev string) { for _, t := range b.table[b.st] { if t.on == ev { b.st = t.to; if t.to == open { b.at = time.Now() }; if t.to == closed { b.n = 0 }; return } } }
func (b *Breaker) Allow() bool {
	b.mu.Lock(); defer b.mu.Unlock()
	if b.st == open && time.Since(b.at) >= 20*time.Second { b.fire("timeout") }
	return b.st != open
}
func (b *Breaker) Report(ok bool) {
	b.mu.Lock(); defer b.mu.Unlock()
	if b.st == half { if ok { b.fire("ok") } else { b.fire("fail") }; return }
	if ok { b.n = 0; return }
	if b.n++; b.n >= 4 { b.fire("trip") }
}
"""
        + TWO_STEP,
        "yes",
        (4, 20.0, None),
    ),
    "embedded-in-a-guard": (
        """
type Breaker struct { mu sync.Mutex; fails int; opened time.Time }
func (b *Breaker) Allow() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.fails < 5 || time.Since(b.opened) > 30*time.Second }
func (b *Breaker) Report(ok bool) { b.mu.Lock(); defer b.mu.Unlock(); if ok { b.fails = 0 } else { b.fails++; b.opened = time.Now() } }
type Guard struct { *Breaker; name string }
func (g Guard) Unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if !g.Allow() { return status.Error(codes.Unavailable, g.name) }
	err := CALL
	g.Report(err == nil)
	return err
}
func unary() grpc.UnaryClientInterceptor { return Guard{&Breaker{}, "pay"}.Unary }
""",
        "yes",
        (5, 30.0, None),
    ),
    "retry-around-breaker": (
        """
type Breaker struct { mu sync.Mutex; fails int; opened time.Time }
func newBreaker() *Breaker { return &Breaker{} }
func (b *Breaker) Allow() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.fails < 5 || time.Since(b.opened) > 30*time.Second }
func (b *Breaker) Report(ok bool) { b.mu.Lock(); defer b.mu.Unlock(); if ok { b.fails = 0 } else { b.fails++; b.opened = time.Now() } }
func unary() grpc.UnaryClientInterceptor {
	b := newBreaker()
	return SIGNATURE {
		var err error
		for i := 0; i < 3; i++ {
			if !b.Allow() { return status.Error(codes.Unavailable, "open") }
			err = CALL
			b.Report(err == nil)
			if err == nil { return nil }
			select {
			case <-ctx.Done(): return ctx.Err()
			case <-time.After(time.Duration(i+1) * 50 * time.Millisecond):
			}
		}
		return err
	}
}
""",
        "yes",
        (5, 30.0, None),
    ),
    "a-key-of-its-own-for-each-call": (
        """
type Breaker struct { mu sync.Mutex; fails int; opened time.Time }
func unary() grpc.UnaryClientInterceptor {
	var m sync.Map
	return SIGNATURE {
		v, _ := m.LoadOrStore(fmt.Sprint(time.Now().UnixNano()), &Breaker{})
		b := v.(*Breaker)
		b.mu.Lock()
		if b.fails >= 5 && time.Since(b.opened) < time.Minute { b.mu.Unlock(); return errors.New("open") }
		b.mu.Unlock()
		err := CALL
		b.mu.Lock()
		defer b.mu.Unlock()
		if err != nil { b.fails++; b.opened = time.Now() }
		return err
	}
}
""",
        "no",
        None,
    ),
}


@pytest.mark.parametrize("name", STYLES)
def test_styles(tmp_path: Path, name: str) -> None:
    source, answer, settings = STYLES[name]
    source = source.replace("SIGNATURE", SIGNATURE).replace("CALL", CALL)
    files = {"main.go": go_file(MAIN), "breaker.go": go_file(source)}
    (row,) = table(analyse(tmp_path, files)).rows
    assert row.get("circuit_breaker").value == answer, row.get("unary_breaker").because
    found = tuple(row.get(n).value for n in ("max_failures", "reset_timeout_s", "half_open_max_calls"))
    assert settings is None or found == settings
