"""Circuit breakers that a program makes itself, in many styles, and what only looks like one."""

from __future__ import annotations

from pathlib import Path

import pytest
from go_program import analyse, go_file

from zuno_audit.facts.go.clients import table
from zuno_audit.model.entity import Entity

MAIN = """
    func main() {
        conn, err := grpc.NewClient("payments:50051",
            grpc.WithTransportCredentials(insecure.NewCredentials()),
            grpc.WithUnaryInterceptor(unary()))
        if err != nil {
            log.Fatal(err)
        }
        defer conn.Close()
    }
"""
INTERCEPT = """
    func unary() grpc.UnaryClientInterceptor {
        b := newBreaker()
        return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
            invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
            return b.Do(func() error { return invoker(ctx, method, req, reply, cc, opts...) })
        }
    }
"""
TWO_STEP = """
    func unary() grpc.UnaryClientInterceptor {
        b := newBreaker()
        return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
            invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
            if !b.Allow() {
                return status.Error(codes.Unavailable, "circuit open")
            }
            err := invoker(ctx, method, req, reply, cc, opts...)
            b.Report(err == nil)
            return err
        }
    }
"""
# name: (source, max_failures, reset_timeout_s, half_open_max_calls); None where it is not checked
BREAKERS: dict[str, tuple[str, object, object, object]] = {}
OTHERS: dict[str, str] = {}


def breaker(
    name: str, source: str, failures: object = ..., reset: object = ..., probes: object = ...
) -> None:
    BREAKERS[name] = (source, failures, reset, probes)


def client(tmp_path: Path, source: str) -> Entity:
    files = {"main.go": go_file(MAIN), "breaker.go": go_file(source)}
    rows = table(analyse(tmp_path, files)).rows
    assert [row.location.path for row in rows] == ["main.go"]
    return rows[0]


breaker(
    "mutex-and-int-states",
    """
    const (
        closed = iota
        open
        halfOpen
    )

    type Breaker struct {
        mu       sync.Mutex
        state    int
        failures int
        openedAt time.Time
        probing  int
    }

    func newBreaker() *Breaker { return &Breaker{} }

    func (b *Breaker) Do(fn func() error) error {
        b.mu.Lock()
        if b.state == open {
            if time.Since(b.openedAt) < 30*time.Second {
                b.mu.Unlock()
                return errors.New("circuit open")
            }
            b.state = halfOpen
            b.probing = 0
        }
        if b.state == halfOpen {
            if b.probing >= 2 {
                b.mu.Unlock()
                return errors.New("circuit half-open")
            }
            b.probing++
        }
        b.mu.Unlock()
        err := fn()
        b.mu.Lock()
        defer b.mu.Unlock()
        if err != nil {
            b.failures++
            if b.state == halfOpen || b.failures >= 3 {
                b.state = open
                b.openedAt = time.Now()
            }
            return err
        }
        b.failures = 0
        b.state = closed
        return nil
    }
    """
    + INTERCEPT,
    3,
    30.0,
    2,
)

breaker(
    "text-states-with-defer",
    """
    type State string

    const (
        Closed   State = "closed"
        Open     State = "open"
        HalfOpen State = "half-open"
    )

    type Breaker struct {
        sync.Mutex
        state     State
        count     int
        max       int
        until     time.Time
        coolDown  time.Duration
    }

    func newBreaker() *Breaker {
        return &Breaker{state: Closed, max: 4, coolDown: 15 * time.Second}
    }

    var ErrOpen = errors.New("breaker is open")

    func (b *Breaker) Do(fn func() error) (err error) {
        if err := b.before(); err != nil {
            return err
        }
        defer func() { b.after(err) }()
        err = fn()
        return err
    }

    func (b *Breaker) before() error {
        b.Lock()
        defer b.Unlock()
        switch b.state {
        case Open:
            if time.Now().Before(b.until) {
                return ErrOpen
            }
            b.state = HalfOpen
        case HalfOpen:
            return ErrOpen
        }
        return nil
    }

    func (b *Breaker) after(err error) {
        b.Lock()
        defer b.Unlock()
        if err == nil {
            b.state = Closed
            b.count = 0
            return
        }
        b.count++
        if b.state == HalfOpen || b.count >= b.max {
            b.state = Open
            b.until = time.Now().Add(b.coolDown)
        }
    }
    """
    + INTERCEPT,
    4,
    15.0,
    1,
)

breaker(
    "atomics-and-unix-nanos",
    """
    type Breaker struct {
        fails  atomic.Int64
        opened atomic.Int64
        limit  int64
        wait   time.Duration
    }

    func newBreaker() *Breaker { return &Breaker{limit: 10, wait: time.Minute} }

    func (b *Breaker) Allow() bool {
        at := b.opened.Load()
        if at == 0 {
            return true
        }
        if time.Now().UnixNano()-at < int64(b.wait) {
            return false
        }
        return b.opened.CompareAndSwap(at, time.Now().UnixNano())
    }

    func (b *Breaker) Report(ok bool) {
        if ok {
            b.fails.Store(0)
            b.opened.Store(0)
            return
        }
        if b.fails.Add(1) >= b.limit {
            b.opened.Store(time.Now().UnixNano())
        }
    }
    """
    + TWO_STEP,
    10,
    60.0,
    1,
)

breaker(
    "unix-seconds-and-old-atomics",
    """
    type Breaker struct {
        state    int32
        failures uint32
        lastFail int64
    }

    const (
        maxFailures  = 5
        resetSeconds = 20
    )

    func newBreaker() *Breaker { return new(Breaker) }

    func (b *Breaker) Allow() bool {
        if atomic.LoadInt32(&b.state) == 0 {
            return true
        }
        if time.Now().Unix()-atomic.LoadInt64(&b.lastFail) > resetSeconds {
            return true
        }
        return false
    }

    func (b *Breaker) Report(ok bool) {
        if ok {
            atomic.StoreUint32(&b.failures, 0)
            atomic.StoreInt32(&b.state, 0)
            return
        }
        atomic.StoreInt64(&b.lastFail, time.Now().Unix())
        if atomic.AddUint32(&b.failures, 1) >= maxFailures {
            atomic.StoreInt32(&b.state, 1)
        }
    }
    """
    + TWO_STEP,
    5,
    20.0,
)

breaker(
    "sliding-window-of-times",
    """
    type Breaker struct {
        mu       sync.Mutex
        failures []time.Time
        openTill time.Time
    }

    func newBreaker() *Breaker { return &Breaker{} }

    func (b *Breaker) Allow() bool {
        b.mu.Lock()
        defer b.mu.Unlock()
        return !time.Now().Before(b.openTill)
    }

    func (b *Breaker) Report(ok bool) {
        b.mu.Lock()
        defer b.mu.Unlock()
        now := time.Now()
        kept := b.failures[:0]
        for _, t := range b.failures {
            if now.Sub(t) < time.Minute {
                kept = append(kept, t)
            }
        }
        b.failures = kept
        if !ok {
            b.failures = append(b.failures, now)
        }
        if len(b.failures) >= 6 {
            b.openTill = now.Add(10 * time.Second)
            b.failures = nil
        }
    }
    """
    + TWO_STEP,
    6,
    10.0,
)

breaker(
    "ring-buffer-with-ratio",
    """
    const windowSize = 20

    type Breaker struct {
        mu      sync.Mutex
        results [windowSize]bool
        next    int
        filled  int
        opened  time.Time
        isOpen  bool
    }

    func newBreaker() *Breaker { return &Breaker{} }

    func (b *Breaker) Allow() bool {
        b.mu.Lock()
        defer b.mu.Unlock()
        if b.isOpen && time.Since(b.opened) < 5*time.Second {
            return false
        }
        return true
    }

    func (b *Breaker) Report(ok bool) {
        b.mu.Lock()
        defer b.mu.Unlock()
        b.results[b.next] = !ok
        b.next = (b.next + 1) % windowSize
        if b.filled < windowSize {
            b.filled++
        }
        failed := 0
        for i := 0; i < b.filled; i++ {
            if b.results[i] {
                failed++
            }
        }
        if b.filled >= 10 && float64(failed)/float64(b.filled) >= 0.5 {
            b.isOpen = true
            b.opened = time.Now()
        } else {
            b.isOpen = false
        }
    }
    """
    + TWO_STEP,
    ...,
    5.0,
)

breaker(
    "time-buckets",
    """
    type bucket struct {
        start           time.Time
        success, failed int
    }

    type Breaker struct {
        mu      sync.Mutex
        buckets []bucket
        opened  *time.Time
    }

    func newBreaker() *Breaker { return &Breaker{} }

    func (b *Breaker) Allow() bool {
        b.mu.Lock()
        defer b.mu.Unlock()
        if b.opened == nil {
            return true
        }
        if time.Since(*b.opened) > 8*time.Second {
            b.opened = nil
            b.buckets = nil
            return true
        }
        return false
    }

    func (b *Breaker) Report(ok bool) {
        b.mu.Lock()
        defer b.mu.Unlock()
        now := time.Now().Truncate(time.Second)
        if len(b.buckets) == 0 || !b.buckets[len(b.buckets)-1].start.Equal(now) {
            b.buckets = append(b.buckets, bucket{start: now})
        }
        last := &b.buckets[len(b.buckets)-1]
        if ok {
            last.success++
        } else {
            last.failed++
        }
        for len(b.buckets) > 0 && now.Sub(b.buckets[0].start) > 10*time.Second {
            b.buckets = b.buckets[1:]
        }
        total, failed := 0, 0
        for _, x := range b.buckets {
            total += x.success + x.failed
            failed += x.failed
        }
        if total >= 10 && failed*100/total >= 50 {
            t := time.Now()
            b.opened = &t
        }
    }
    """
    + TWO_STEP,
    10,
    8.0,
)

breaker(
    "injected-clock-function",
    """
    type Breaker struct {
        mu       sync.Mutex
        now      func() time.Time
        failures int
        openedAt time.Time
        cfg      Config
    }

    type Config struct {
        Threshold int
        Timeout   time.Duration
    }

    func New(cfg Config) *Breaker {
        return &Breaker{cfg: cfg, now: time.Now}
    }

    func newBreaker() *Breaker { return New(Config{Threshold: 7, Timeout: 45 * time.Second}) }

    func (b *Breaker) Allow() bool {
        b.mu.Lock()
        defer b.mu.Unlock()
        if b.failures < b.cfg.Threshold {
            return true
        }
        return b.now().Sub(b.openedAt) >= b.cfg.Timeout
    }

    func (b *Breaker) Report(ok bool) {
        b.mu.Lock()
        defer b.mu.Unlock()
        if ok {
            b.failures = 0
            return
        }
        b.failures++
        b.openedAt = b.now()
    }
    """
    + TWO_STEP,
    7,
    45.0,
)

breaker(
    "clock-interface",
    """
    type Clock interface{ Now() time.Time }

    type realClock struct{}

    func (realClock) Now() time.Time { return time.Now() }

    type Breaker struct {
        clock    Clock
        failures int
        openedAt time.Time
        open     bool
    }

    type Option func(*Breaker)

    func WithClock(c Clock) Option { return func(b *Breaker) { b.clock = c } }

    func New(opts ...Option) *Breaker {
        b := &Breaker{clock: realClock{}}
        for _, opt := range opts {
            opt(b)
        }
        return b
    }

    func newBreaker() *Breaker { return New(WithClock(realClock{})) }

    func (b *Breaker) Allow() bool {
        if !b.open {
            return true
        }
        return b.clock.Now().After(b.openedAt.Add(time.Minute))
    }

    func (b *Breaker) Report(ok bool) {
        if ok {
            b.open, b.failures = false, 0
            return
        }
        b.failures++
        if b.failures > 4 {
            b.open = true
            b.openedAt = b.clock.Now()
        }
    }
    """
    + TWO_STEP,
    ...,
    60.0,
)

breaker(
    "timer-closes-it",
    """
    type Breaker struct {
        mu       sync.Mutex
        failures int
        open     bool
    }

    func newBreaker() *Breaker { return &Breaker{} }

    func (b *Breaker) Allow() bool {
        b.mu.Lock()
        defer b.mu.Unlock()
        return !b.open
    }

    func (b *Breaker) Report(ok bool) {
        b.mu.Lock()
        defer b.mu.Unlock()
        if ok {
            b.failures = 0
            return
        }
        b.failures++
        if b.failures >= 5 && !b.open {
            b.open = true
            time.AfterFunc(12*time.Second, func() {
                b.mu.Lock()
                defer b.mu.Unlock()
                b.open = false
                b.failures = 0
            })
        }
    }
    """
    + TWO_STEP,
    5,
    12.0,
)

breaker(
    "goroutine-sleeps-and-closes-it",
    """
    type Breaker struct {
        mu       sync.Mutex
        failures int
        open     bool
    }

    func newBreaker() *Breaker { return &Breaker{} }

    func (b *Breaker) Allow() bool {
        b.mu.Lock()
        defer b.mu.Unlock()
        return !b.open
    }

    func (b *Breaker) Report(ok bool) {
        b.mu.Lock()
        defer b.mu.Unlock()
        if ok {
            b.failures = 0
            return
        }
        b.failures++
        if b.failures >= 5 {
            b.open = true
            go b.recoverLater()
        }
    }

    func (b *Breaker) recoverLater() {
        time.Sleep(12 * time.Second)
        b.mu.Lock()
        b.open = false
        b.failures = 0
        b.mu.Unlock()
    }
    """
    + TWO_STEP,
    5,
    12.0,
)

breaker(
    "state-objects",
    """
    type state interface {
        allow(b *Breaker) bool
        onSuccess(b *Breaker)
        onFailure(b *Breaker)
    }

    type closedState struct{ failures int }
    type openState struct{ since time.Time }
    type halfOpenState struct{ calls int }

    type Breaker struct {
        mu  sync.Mutex
        cur state
    }

    func newBreaker() *Breaker { return &Breaker{cur: &closedState{}} }

    func (s *closedState) allow(b *Breaker) bool  { return true }
    func (s *closedState) onSuccess(b *Breaker)   { s.failures = 0 }
    func (s *closedState) onFailure(b *Breaker) {
        s.failures++
        if s.failures >= 3 {
            b.cur = &openState{since: time.Now()}
        }
    }

    func (s *openState) allow(b *Breaker) bool {
        if time.Since(s.since) < 25*time.Second {
            return false
        }
        b.cur = &halfOpenState{calls: 1}
        return true
    }
    func (s *openState) onSuccess(b *Breaker) {}
    func (s *openState) onFailure(b *Breaker) {}

    func (s *halfOpenState) allow(b *Breaker) bool {
        if s.calls >= 1 {
            return false
        }
        s.calls++
        return true
    }
    func (s *halfOpenState) onSuccess(b *Breaker) { b.cur = &closedState{} }
    func (s *halfOpenState) onFailure(b *Breaker) { b.cur = &openState{since: time.Now()} }

    func (b *Breaker) Allow() bool {
        b.mu.Lock()
        defer b.mu.Unlock()
        return b.cur.allow(b)
    }

    func (b *Breaker) Report(ok bool) {
        b.mu.Lock()
        defer b.mu.Unlock()
        if ok {
            b.cur.onSuccess(b)
        } else {
            b.cur.onFailure(b)
        }
    }
    """
    + TWO_STEP,
    3,
    25.0,
    1,
)

PER_KEY = """
    type Breaker struct {
        mu       sync.Mutex
        failures int
        opened   time.Time
    }

    func (b *Breaker) Allow() bool {
        b.mu.Lock()
        defer b.mu.Unlock()
        return b.failures < 5 || time.Since(b.opened) > 30*time.Second
    }

    func (b *Breaker) Report(ok bool) {
        b.mu.Lock()
        defer b.mu.Unlock()
        if ok {
            b.failures = 0
        } else {
            b.failures++
            b.opened = time.Now()
        }
    }
"""
KEYED_INTERCEPT = """
    func unary() grpc.UnaryClientInterceptor {
        g := newGroup()
        return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
            invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
            b := g.get(KEY)
            if !b.Allow() {
                return status.Errorf(codes.Unavailable, "circuit for %s is open", method)
            }
            err := invoker(ctx, method, req, reply, cc, opts...)
            b.Report(err == nil)
            return err
        }
    }
"""
breaker(
    "sync-map-per-method",
    PER_KEY
    + """
    type group struct{ m sync.Map }

    func newGroup() *group { return &group{} }

    func (g *group) get(key string) *Breaker {
        v, _ := g.m.LoadOrStore(key, &Breaker{})
        return v.(*Breaker)
    }
    """
    + KEYED_INTERCEPT.replace("KEY", "method"),
    5,
    30.0,
)
breaker(
    "sync-map-load-then-store-per-target",
    PER_KEY
    + """
    type group struct{ m sync.Map }

    func newGroup() *group { return &group{} }

    func (g *group) get(key string) *Breaker {
        if v, ok := g.m.Load(key); ok {
            return v.(*Breaker)
        }
        b := &Breaker{}
        actual, loaded := g.m.LoadOrStore(key, b)
        if loaded {
            return actual.(*Breaker)
        }
        return b
    }
    """
    + KEYED_INTERCEPT.replace("KEY", "cc.Target()"),
    5,
    30.0,
)
breaker(
    "map-with-lock-per-target-and-method",
    PER_KEY
    + """
    type group struct {
        mu sync.RWMutex
        m  map[string]*Breaker
    }

    func newGroup() *group { return &group{m: make(map[string]*Breaker)} }

    func (g *group) get(key string) *Breaker {
        g.mu.RLock()
        b, ok := g.m[key]
        g.mu.RUnlock()
        if ok {
            return b
        }
        g.mu.Lock()
        defer g.mu.Unlock()
        if b, ok = g.m[key]; ok {
            return b
        }
        b = &Breaker{}
        g.m[key] = b
        return b
    }
    """
    + KEYED_INTERCEPT.replace("KEY", 'cc.Target()+"/"+method'),
    5,
    30.0,
)
breaker(
    "map-keyed-by-sprintf",
    PER_KEY
    + """
    type group struct {
        mu sync.Mutex
        m  map[string]*Breaker
    }

    func newGroup() *group { return &group{m: map[string]*Breaker{}} }

    func (g *group) get(key string) *Breaker {
        g.mu.Lock()
        defer g.mu.Unlock()
        if _, ok := g.m[key]; !ok {
            g.m[key] = &Breaker{}
        }
        return g.m[key]
    }
    """
    + KEYED_INTERCEPT.replace("KEY", 'fmt.Sprintf("%s:%s", cc.Target(), method)'),
    5,
    30.0,
)
breaker(
    "service-part-of-the-method",
    PER_KEY
    + """
    type group struct {
        mu sync.Mutex
        m  map[string]*Breaker
    }

    func newGroup() *group { return &group{m: map[string]*Breaker{}} }

    func (g *group) get(key string) *Breaker {
        g.mu.Lock()
        defer g.mu.Unlock()
        b := g.m[key]
        if b == nil {
            b = new(Breaker)
            g.m[key] = b
        }
        return b
    }

    func service(method string) string {
        parts := strings.Split(method, "/")
        if len(parts) < 2 {
            return method
        }
        return parts[1]
    }
    """
    + KEYED_INTERCEPT.replace("KEY", "service(method)"),
    5,
    30.0,
)

breaker(
    "generic-breaker",
    """
    type Breaker[T any] struct {
        mu        sync.Mutex
        failures  uint32
        threshold uint32
        expiry    time.Time
        timeout   time.Duration
    }

    func New[T any](threshold uint32, timeout time.Duration) *Breaker[T] {
        return &Breaker[T]{threshold: threshold, timeout: timeout}
    }

    func (b *Breaker[T]) Execute(fn func() (T, error)) (T, error) {
        var zero T
        b.mu.Lock()
        if b.failures >= b.threshold && time.Now().Before(b.expiry) {
            b.mu.Unlock()
            return zero, errors.New("open")
        }
        b.mu.Unlock()
        result, err := fn()
        b.mu.Lock()
        defer b.mu.Unlock()
        if err != nil {
            b.failures++
            if b.failures >= b.threshold {
                b.expiry = time.Now().Add(b.timeout)
            }
            return zero, err
        }
        b.failures = 0
        return result, nil
    }

    func unary() grpc.UnaryClientInterceptor {
        b := New[struct{}](6, 20*time.Second)
        return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
            invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
            _, err := b.Execute(func() (struct{}, error) {
                return struct{}{}, invoker(ctx, method, req, reply, cc, opts...)
            })
            return err
        }
    }
    """,
    6,
    20.0,
)

breaker(
    "functional-options-and-success-threshold",
    """
    type settings struct {
        failureThreshold int
        successThreshold int
        openFor          time.Duration
    }

    type Option interface{ apply(*settings) }

    type optionFunc func(*settings)

    func (f optionFunc) apply(s *settings) { f(s) }

    func WithFailureThreshold(n int) Option {
        return optionFunc(func(s *settings) { s.failureThreshold = n })
    }

    func WithOpenFor(d time.Duration) Option {
        return optionFunc(func(s *settings) { s.openFor = d })
    }

    type Breaker struct {
        settings
        mu        sync.Mutex
        state     uint8
        failures  int
        successes int
        changed   time.Time
    }

    func New(opts ...Option) *Breaker {
        s := settings{failureThreshold: 5, successThreshold: 2, openFor: 30 * time.Second}
        for _, o := range opts {
            o.apply(&s)
        }
        return &Breaker{settings: s}
    }

    func newBreaker() *Breaker {
        return New(WithFailureThreshold(8), WithOpenFor(90*time.Second))
    }

    func (b *Breaker) Allow() bool {
        b.mu.Lock()
        defer b.mu.Unlock()
        if b.state == 1 && time.Since(b.changed) >= b.openFor {
            b.state, b.successes = 2, 0
        }
        return b.state != 1
    }

    func (b *Breaker) Report(ok bool) {
        b.mu.Lock()
        defer b.mu.Unlock()
        switch {
        case ok && b.state == 2:
            if b.successes++; b.successes >= b.successThreshold {
                b.state, b.failures = 0, 0
            }
        case ok:
            b.failures = 0
        case b.state == 2:
            b.trip()
        default:
            if b.failures++; b.failures >= b.failureThreshold {
                b.trip()
            }
        }
    }

    func (b *Breaker) trip() {
        b.state, b.changed, b.failures = 1, time.Now(), 0
    }
    """
    + TWO_STEP,
    8,
    90.0,
    2,
)

CLASSIFIED = """
    type Breaker struct {
        mu       sync.Mutex
        failures int
        opened   time.Time
        isFailure func(error) bool
    }

    func newBreaker() *Breaker { return &Breaker{isFailure: COUNTS} }

    var errOpen = status.Error(codes.Unavailable, "open")

    func (b *Breaker) Do(fn func() error) error {
        b.mu.Lock()
        if b.failures >= 5 && time.Since(b.opened) < 10*time.Second {
            b.mu.Unlock()
            return errOpen
        }
        b.mu.Unlock()
        err := fn()
        b.mu.Lock()
        defer b.mu.Unlock()
        if err != nil && b.isFailure(err) {
            b.failures++
            b.opened = time.Now()
        } else {
            b.failures = 0
        }
        return err
    }
"""
for name, counts in {
    "code-switch": """func(err error) bool {
        switch status.Code(err) {
        case codes.Unavailable, codes.DeadlineExceeded, codes.Internal:
            return true
        }
        return false
    }""",
    "not-business-errors": """func(err error) bool {
        st, ok := status.FromError(err)
        if !ok {
            return true
        }
        return st.Code() != codes.NotFound && st.Code() != codes.InvalidArgument
    }""",
    "map-of-codes": """func(err error) bool {
        return map[codes.Code]bool{codes.Unavailable: true, codes.Internal: true}[status.Code(err)]
    }""",
    "not-a-cancelled-context": """func(err error) bool {
        return !errors.Is(err, context.Canceled)
    }""",
}.items():
    breaker(f"classified-by-{name}", CLASSIFIED.replace("COUNTS", counts) + INTERCEPT, 5, 10.0)

breaker(
    "only-slow-failures-deadline",
    """
    type Breaker struct {
        mu       sync.Mutex
        failures int
        opened   time.Time
    }

    func newBreaker() *Breaker { return &Breaker{} }

    func (b *Breaker) call(ctx context.Context, fn func(context.Context) error) error {
        b.mu.Lock()
        open := b.failures >= 3 && time.Since(b.opened) < 10*time.Second
        b.mu.Unlock()
        if open {
            return status.Error(codes.Unavailable, "open")
        }
        ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
        defer cancel()
        err := fn(ctx)
        b.mu.Lock()
        defer b.mu.Unlock()
        if err != nil || ctx.Err() == context.DeadlineExceeded {
            b.failures++
            b.opened = time.Now()
        } else {
            b.failures = 0
        }
        return err
    }

    func unary() grpc.UnaryClientInterceptor {
        b := newBreaker()
        return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
            invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
            return b.call(ctx, func(ctx context.Context) error {
                return invoker(ctx, method, req, reply, cc, opts...)
            })
        }
    }
    """,
    3,
    10.0,
)

breaker(
    "method-as-interceptor",
    """
    type Guard struct {
        mu       sync.Mutex
        failures int
        opened   time.Time
    }

    func (g *Guard) Intercept(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
        invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
        g.mu.Lock()
        if g.failures >= 5 && time.Since(g.opened) < 60*time.Second {
            g.mu.Unlock()
            return status.Error(codes.Unavailable, "open")
        }
        g.mu.Unlock()
        err := invoker(ctx, method, req, reply, cc, opts...)
        g.mu.Lock()
        defer g.mu.Unlock()
        if err != nil {
            g.failures++
            g.opened = time.Now()
        } else {
            g.failures = 0
        }
        return err
    }

    var shared = &Guard{}

    func unary() grpc.UnaryClientInterceptor { return shared.Intercept }
    """,
    5,
    60.0,
)

breaker(
    "own-chain-function",
    PER_KEY
    + """
    func chain(list ...grpc.UnaryClientInterceptor) grpc.UnaryClientInterceptor {
        return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
            invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
            next := invoker
            for i := len(list) - 1; i >= 0; i-- {
                inner, current := next, list[i]
                next = func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
                    opts ...grpc.CallOption) error {
                    return current(ctx, method, req, reply, cc, inner, opts...)
                }
            }
            return next(ctx, method, req, reply, cc, opts...)
        }
    }

    func logging(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
        invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
        start := time.Now()
        err := invoker(ctx, method, req, reply, cc, opts...)
        log.Printf("%s took %s: %v", method, time.Since(start), err)
        return err
    }

    func guarding(b *Breaker) grpc.UnaryClientInterceptor {
        return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
            invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
            if !b.Allow() {
                return status.Error(codes.Unavailable, "open")
            }
            err := invoker(ctx, method, req, reply, cc, opts...)
            b.Report(err == nil)
            return err
        }
    }

    func unary() grpc.UnaryClientInterceptor {
        return chain(logging, guarding(&Breaker{}))
    }
    """,
    5,
    30.0,
)

breaker(
    "breaker-behind-an-interface",
    PER_KEY
    + """
    type CircuitBreaker interface {
        Allow() bool
        Report(ok bool)
    }

    func newBreaker() CircuitBreaker { return &Breaker{} }
    """
    + TWO_STEP,
    5,
    30.0,
)

breaker(
    "allow-with-done-callback",
    """
    type Breaker struct {
        mu       sync.Mutex
        failures int
        opened   time.Time
    }

    func (b *Breaker) Allow() (func(error), error) {
        b.mu.Lock()
        defer b.mu.Unlock()
        if b.failures >= 5 && time.Since(b.opened) < 30*time.Second {
            return nil, errors.New("open")
        }
        return b.done, nil
    }

    func (b *Breaker) done(err error) {
        b.mu.Lock()
        defer b.mu.Unlock()
        if err == nil {
            b.failures = 0
            return
        }
        b.failures++
        b.opened = time.Now()
    }

    func unary() grpc.UnaryClientInterceptor {
        b := &Breaker{}
        return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
            invoker grpc.UnaryInvoker, opts ...grpc.CallOption) (err error) {
            done, err := b.Allow()
            if err != nil {
                return status.Error(codes.Unavailable, err.Error())
            }
            defer func() { done(err) }()
            return invoker(ctx, method, req, reply, cc, opts...)
        }
    }
    """,
    5,
    30.0,
)

breaker(
    "tokens-in-a-channel-for-half-open",
    """
    type Breaker struct {
        mu       sync.Mutex
        failures int
        opened   time.Time
        probe    chan struct{}
    }

    func newBreaker() *Breaker { return &Breaker{probe: make(chan struct{}, 1)} }

    func (b *Breaker) Allow() bool {
        b.mu.Lock()
        defer b.mu.Unlock()
        if b.failures < 5 {
            return true
        }
        if time.Since(b.opened) < 30*time.Second {
            return false
        }
        select {
        case b.probe <- struct{}{}:
            return true
        default:
            return false
        }
    }

    func (b *Breaker) Report(ok bool) {
        b.mu.Lock()
        defer b.mu.Unlock()
        select {
        case <-b.probe:
        default:
        }
        if ok {
            b.failures = 0
        } else {
            b.failures++
            b.opened = time.Now()
        }
    }
    """
    + TWO_STEP,
    5,
    30.0,
)

breaker(
    "settings-from-outside",
    """
    type Breaker struct {
        mu       sync.Mutex
        failures int
        opened   time.Time
        max      int
        timeout  time.Duration
    }

    func newBreaker() *Breaker {
        n, err := strconv.Atoi(os.Args[1])
        if err != nil {
            log.Fatal(err)
        }
        d, _ := time.ParseDuration(os.Getenv("BREAKER_TIMEOUT"))
        return &Breaker{max: n, timeout: d}
    }

    func (b *Breaker) Allow() bool {
        b.mu.Lock()
        defer b.mu.Unlock()
        return b.failures < b.max || time.Since(b.opened) >= b.timeout
    }

    func (b *Breaker) Report(ok bool) {
        b.mu.Lock()
        defer b.mu.Unlock()
        if ok {
            b.failures = 0
        } else {
            b.failures++
            b.opened = time.Now()
        }
    }
    """
    + TWO_STEP,
    None,
    None,
)

breaker(
    "far-threshold",
    PER_KEY.replace("b.failures < 5", "b.failures < 500")
    + "func newBreaker() *Breaker { return &Breaker{} }\n"
    + TWO_STEP,
    500,
    30.0,
)

breaker(
    "success-does-not-reset-but-window-does",
    """
    type Breaker struct {
        mu        sync.Mutex
        requests  int
        failures  int
        windowEnd time.Time
        openUntil time.Time
    }

    func newBreaker() *Breaker { return &Breaker{} }

    func (b *Breaker) Allow() bool {
        b.mu.Lock()
        defer b.mu.Unlock()
        now := time.Now()
        if now.After(b.windowEnd) {
            b.requests, b.failures = 0, 0
            b.windowEnd = now.Add(10 * time.Second)
        }
        return now.After(b.openUntil)
    }

    func (b *Breaker) Report(ok bool) {
        b.mu.Lock()
        defer b.mu.Unlock()
        b.requests++
        if !ok {
            b.failures++
        }
        if b.requests >= 20 && float64(b.failures)/float64(b.requests) > 0.6 {
            b.openUntil = time.Now().Add(30 * time.Second)
            b.requests, b.failures = 0, 0
        }
    }
    """
    + TWO_STEP,
    ...,
    30.0,
)

breaker(
    "panics-count-too",
    """
    type Breaker struct {
        mu       sync.Mutex
        failures int
        opened   time.Time
    }

    func newBreaker() *Breaker { return &Breaker{} }

    func (b *Breaker) Do(fn func() error) (err error) {
        b.mu.Lock()
        if b.failures >= 5 && time.Since(b.opened) < 30*time.Second {
            b.mu.Unlock()
            return errors.New("open")
        }
        b.mu.Unlock()
        defer func() {
            if r := recover(); r != nil {
                b.settle(false)
                panic(r)
            }
            b.settle(err == nil)
        }()
        return fn()
    }

    func (b *Breaker) settle(ok bool) {
        b.mu.Lock()
        defer b.mu.Unlock()
        if ok {
            b.failures = 0
            return
        }
        b.failures++
        b.opened = time.Now()
    }
    """
    + INTERCEPT,
    5,
    30.0,
)

breaker(
    "generation-counter",
    """
    type Counts struct{ Requests, Failures uint32 }

    type Breaker struct {
        mu         sync.Mutex
        generation uint64
        counts     Counts
        open       bool
        expiry     time.Time
    }

    func newBreaker() *Breaker { return &Breaker{} }

    func (b *Breaker) Do(fn func() error) error {
        gen, err := b.before()
        if err != nil {
            return err
        }
        err = fn()
        b.after(gen, err == nil)
        return err
    }

    func (b *Breaker) before() (uint64, error) {
        b.mu.Lock()
        defer b.mu.Unlock()
        if b.open {
            if b.expiry.After(time.Now()) {
                return b.generation, fmt.Errorf("breaker open until %v", b.expiry)
            }
            b.next(false)
        }
        b.counts.Requests++
        return b.generation, nil
    }

    func (b *Breaker) after(gen uint64, ok bool) {
        b.mu.Lock()
        defer b.mu.Unlock()
        if gen != b.generation {
            return
        }
        if ok {
            b.counts.Failures = 0
            return
        }
        b.counts.Failures++
        if b.counts.Failures >= 4 {
            b.next(true)
        }
    }

    func (b *Breaker) next(open bool) {
        b.generation++
        b.counts = Counts{}
        b.open = open
        if open {
            b.expiry = time.Now().Add(20 * time.Second)
        }
    }
    """
    + INTERCEPT,
    4,
    20.0,
)

breaker(
    "events-and-logging-on-the-way",
    PER_KEY
    + """
    type metrics interface{ Observe(string, float64) }

    type nop struct{}

    func (nop) Observe(string, float64) {}

    func unary() grpc.UnaryClientInterceptor {
        b := &Breaker{}
        var m metrics = nop{}
        logger := slog.Default()
        return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
            invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
            start := time.Now()
            defer func() { m.Observe(method, time.Since(start).Seconds()) }()
            if !b.Allow() {
                logger.WarnContext(ctx, "refused", "method", method)
                return status.Error(codes.Unavailable, "circuit open")
            }
            err := invoker(ctx, method, req, reply, cc, opts...)
            b.Report(err == nil)
            if err != nil {
                logger.ErrorContext(ctx, "failed", "method", method, "err", err)
            }
            return err
        }
    }
    """,
    5,
    30.0,
)


@pytest.mark.parametrize("name", BREAKERS)
def test_a_home_made_breaker_is_one(tmp_path: Path, name: str) -> None:
    source, *settings = BREAKERS[name]
    row = client(tmp_path, source)
    assert (row.get("unary_breaker").value, row.get("stream_breaker").value) == ("yes", "no"), row.get(
        "unary_breaker"
    ).because
    assert row.get("circuit_breaker").value == "yes"
    found = [row.get(n).value for n in ("max_failures", "reset_timeout_s", "half_open_max_calls")]
    assert [f for f, s in zip(found, settings, strict=True) if s is not ...] == [
        s for s in settings if s is not ...
    ]


SET_FROM_OUTSIDE = """
    type settings struct { Limit int; Wait time.Duration }

    type Breaker struct { settings; failures int; opened time.Time }

    func newBreaker() *Breaker {
        s := &settings{Limit: 5, Wait: WAIT}
        CHANGE
        return &Breaker{settings: *s}
    }

    func (b *Breaker) Do(call func() error) error {
        if b.failures >= b.Limit && time.Since(b.opened) < b.Wait {
            return status.Error(codes.Unavailable, "open")
        }
        err := call()
        if err == nil {
            b.failures = 0
            return nil
        }
        b.failures++
        b.opened = time.Now()
        return err
    }
"""


@pytest.mark.parametrize(
    ("wait", "change", "failures", "timeout"),
    [
        ("time.Minute", "", 5, 60.0),
        ('parsed("1m")', "", 5, 60.0),
        ('parsed("1m0.5s")', "", 5, 60.5),
        ("time.Minute", 'reflect.ValueOf(s).Elem().FieldByName("Limit").SetInt(50)', None, None),
        (
            "time.Minute",
            "field := reflect.ValueOf(s).Elem().Field(0); field.Set(reflect.ValueOf(50))",
            None,
            None,
        ),
        ("time.Minute", "fmt.Println(reflect.ValueOf(s).Elem().NumField())", 5, 60.0),
        ("time.Minute", 'json.Unmarshal([]byte(os.Getenv("BREAKER")), s)', None, None),
    ],
)
def test_settings_that_are_read_or_set_by_reflection(
    tmp_path: Path, wait: str, change: str, failures: int | None, timeout: float | None
) -> None:
    parsed = """
    func parsed(text string) time.Duration {
        d, err := time.ParseDuration(text)
        if err != nil {
            panic(err)
        }
        return d
    }
    """
    source = SET_FROM_OUTSIDE.replace("WAIT", wait).replace("CHANGE", change)
    row = client(tmp_path, INTERCEPT + source + parsed)
    assert row.get("unary_breaker").value == "yes", row.get("unary_breaker").because
    assert (row.get("max_failures").value, row.get("reset_timeout_s").value) == (failures, timeout)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("return err", "yes"),
        ("if err != nil { return nil }; return err", "no"),
        ("return nil", "no"),
        ("_ = err; log.Print(err); return nil", "no"),
        ("if status.Code(err) == codes.Unavailable { return nil }; return err", "no"),
        ("if status.Code(err) == codes.AlreadyExists { return nil }; return err", "yes"),
        ('if err != nil {\n return fmt.Errorf("call: %w", err)\n}\nreturn nil', "yes"),
        ('return fmt.Errorf("call: %w", err)', "no"),  # of calls that succeed as well
    ],
)
def test_a_breaker_must_hand_on_that_a_call_failed(tmp_path: Path, after: str, expected: str) -> None:
    assert "b.Report(err == nil)\n            return err" in TWO_STEP
    source = TWO_STEP.replace("return err\n        }\n    }", after + "\n        }\n    }") + SET_FROM_OUTSIDE
    source = source.replace("WAIT", "time.Minute").replace("CHANGE", "")
    steps = """
    func (b *Breaker) Allow() bool { return b.failures < b.Limit || time.Since(b.opened) >= b.Wait }

    func (b *Breaker) Report(ok bool) {
        if ok {
            b.failures = 0
            return
        }
        b.failures++
        b.opened = time.Now()
    }
    """
    cell = client(tmp_path, source + steps).get("unary_breaker")
    assert cell.value == expected, cell.because
    assert expected == "yes" or "comes back with" in cell.because


LIMIT_WITH_A_DEFAULT = """
    func newBreaker() *Breaker {
        n, err := strconv.Atoi(os.Args[1])
        if err != nil {
            n = DEFAULT
        }
        return &Breaker{limit: n}
    }

    type Breaker struct {
        limit    int
        failures int
        opened   time.Time
    }

    func (b *Breaker) Allow() bool {
        return OFF b.failures < b.limit || time.Since(b.opened) >= time.Minute
    }

    func (b *Breaker) Report(ok bool) {
        if ok {
            b.failures = 0
            return
        }
        b.failures++
        b.opened = time.Now()
    }
"""


@pytest.mark.parametrize(
    ("default", "off", "expected"),
    [
        ("5", "", "yes"),
        ("8", "", "yes"),
        ("1 << 30", "", "no"),
        ("0", "b.limit == 0 ||", "no"),
    ],
)
def test_a_limit_from_outside_with_a_default_leaves_only_the_limit_unknown(
    tmp_path: Path, default: str, off: str, expected: str
) -> None:
    row = client(tmp_path, LIMIT_WITH_A_DEFAULT.replace("DEFAULT", default).replace("OFF", off) + TWO_STEP)
    assert row.get("unary_breaker").value == expected, row.get("unary_breaker").because
    if expected == "yes":
        assert (row.get("max_failures").value, row.get("reset_timeout_s").value) == (None, 60.0)


@pytest.mark.parametrize(("off", "expected"), [("", "yes"), ("b.limit == 5 && b.spare == 9 ||", "no")])
def test_every_mix_of_limits_is_tried(tmp_path: Path, off: str, expected: str) -> None:
    one = 'n, spare := 8, 9\n if os.Args[1] == "" { n = 5 }\n if os.Args[2] == "" { spare = 7 }'
    source = (
        LIMIT_WITH_A_DEFAULT.replace(
            "n, err := strconv.Atoi(os.Args[1])\n        if err != nil {\n            n = DEFAULT\n        }",
            one,
        )
        .replace("limit: n", "limit: n, spare: spare")
        .replace("limit    int", "limit, spare int")
        .replace("OFF", off)
    )
    assert "spare: spare" in source and "DEFAULT" not in source
    cell = client(tmp_path, source + TWO_STEP).get("unary_breaker")
    assert cell.value == expected, cell.because
