/*
 * A model of how a session is refreshed, for the model checker Spin. It follows plugin/refresh.go, plugin/decide.go and
 * internal/store/rotate.go. Spin tries every order of events and every length of every delay.
 *
 * What it has
 *
 *   - The row: the live token's generation and time of issue, and whether the session is revoked.
 *   - Tokens: each is a generation and a time of issue. Whoever has seen a token may present it, any number of times.
 *   - TABS tabs, which share a jar. The jar holds the token of the answer that arrived last, also where that token is older than
 *     the one before. A tab presents the jar's token. Requests and answers travel for any time. An answer may get lost, by the
 *     network or because the server crashed after its UPDATE. Then the tab sends the same token again, or takes the one in the
 *     jar by now.
 *   - THIEVES thieves. A thief copies the jar's token at any time, and refreshes with it for itself.
 *   - Hosts, whose clocks differ by up to SKEW. Each request may go to any host.
 *   - Stalls: a request may wait before each of its steps, for LIMIT in all. If a connection breaks after an UPDATE was carried
 *     out, the UPDATE is tried again.
 *   - FAILOVERS fail-overs. Each loses the last rotation, or the last two where LOST is 2.
 *
 * What it leaves out: lifetimes, log-outs, lost revocations, the Claims callback's refusals, key binding and forged tokens. A
 * crash before the UPDATE is a request that never arrived.
 *
 * The bounds, as docs/how-it-works.md states them
 *
 *   - SKEW is half the grace period.
 *   - LIMIT is half the grace period less one second. The code stays below where the grace period is 4 seconds or more.
 *   - Once a token has a successor, a request with it arrives within the grace period, by the clock of the host where it arrives. So
 *     the difference of the clocks is part of the bound. Later requests are tried only where there is a thief.
 *
 * What is checked
 *
 *   1. No fork. Every answer holds the newest token that was ever issued. So there is one token of each generation. The row only
 *      moves forward. After a fail-over a generation may be issued twice. Then this is checked: no answer holds a token older
 *      than the presented one.
 *   2. No false alarm. No request is refused and no session is revoked before a spent token has come later than the grace
 *      period. So within the bounds nobody is logged out, and a lost rotation logs nobody out. And a revocation finds the row
 *      ahead of the token that it is for.
 *   3. No missed thief. A spent token that comes later than the grace period is refused, and its session is revoked. This is
 *      not checked after a fail-over.
 *   4. No giving up. No refresh fails because its UPDATE misses three times.
 *
 * How it counts
 *
 *   All times are ages, and generations count from the newest one. So the search is finite, and yet covers sessions of any length.
 *   Ages are by the fastest clock. A clock that is s ticks slow reads a time that is s ticks old. Ages stop at OLD, where
 *   nothing depends on them any more.
 *
 * Names in #ifdef break a rule or leave the bounds. With each of them Spin must find a violation; model_test.go says which.
 */

#ifndef TABS
#define TABS 2
#endif
#ifndef THIEVES
#define THIEVES 0
#endif
#ifndef LOST
#define LOST 0
#elif LOST > 2
#error only two rows are kept
#endif
#ifndef FAILOVERS
#define FAILOVERS 1
#endif

/* Ticks in a second. Timestamps are whole seconds, so more than one tick shows what rounding does. */
#ifndef SECOND
#define SECOND 1
#endif
#ifndef GRACE_SECONDS
#define GRACE_SECONDS 4
#endif
#define GRACE (GRACE_SECONDS * SECOND)

#if defined STRICT
#define SKEW 0
#elif defined CLOCKS_TOO_FAR_APART
#define SKEW (GRACE / 2 + SECOND)
#else
#define SKEW (GRACE / 2)
#endif

#if defined NO_LIMIT
#define LIMIT (3 * GRACE)
#elif defined LIMIT_WITHOUT_SKEW
#define LIMIT (GRACE - SECOND)
#elif defined LIMIT_OF_A_QUARTER
#define LIMIT (GRACE / 4)
#elif defined LIMIT_WITHOUT_ROUNDING
#define LIMIT (GRACE / 2)
#else
#define LIMIT (GRACE / 2 - SECOND)
#endif

/* How long the live token repeats. */
#if defined NO_REPEAT
#define WINDOW 0
#elif defined REPEAT_FOR_GRACE
#define WINDOW GRACE
#else
#define WINDOW (2 * GRACE)
#endif

/* How far ahead the clock of another host may be. */
#ifdef NO_CLOCK_AHEAD
#define AHEAD 0
#else
#define AHEAD ((GRACE_SECONDS + 1) / 2 * SECOND)
#endif

#define OLD (2 * GRACE + SKEW + SECOND)
#define LONG (3 * GRACE)
#if OLD > 63
#error a Token has no room for such an age
#endif

/* A token is a generation and an age. The row is its live token. */
#define Token short
#define token(g, a) ((g) * 64 + (a))
#define generation(t) ((t) / 64)
#define age(t) ((t) % 64)

/* The number of the newest generation. Smaller numbers are older ones; 0 is all that not even a fail-over makes live again. */
#define NEWEST (LOST + 2)
#define ANCIENT token(0, OLD)

#define N (TABS + THIEVES)

mtype = { Travels, Mints, Updates, Reads, Revokes, Answered, Refused };
mtype = { rotate, repeat, reuse, ended };
mtype = { noFork, noFalseAlarm, noMissedThief, noGivingUp };

typedef Request {
	mtype phase;
	Token presented;
	Token next;   /* what the UPDATE writes; once it is answered, the answer */
	byte slow;    /* how far the clock of its host is behind */
	byte part;    /* ticks into the second, by that clock, when it arrived */
	byte waited;  /* since it arrived */
	byte updates; /* how often it began to rotate */
	bit young;    /* presented repeats, if it is live */
	bit late;     /* presented was spent, and the grace period was over */
}

Request request[N];
Token jar;
Token row;
bit revoked;
#if LOST
Token before;  /* the row before the last write */
Token earlier; /* the row before the last two writes */
#endif
byte clock; /* ticks into the second */

/* What the checks know and no server does. */
byte issued[NEWEST + 1]; /* age of each generation's first token */
bit theft;               /* a spent token has come later than the grace period */
byte failovers;
#ifdef STRICT
bit shown;               /* the newest token has been presented */
#endif

byte i, k;

#define me request[id]

/* Ages of what a slow clock reads now, and of what it read when the request arrived. */
#define reading(slow) (slow + (clock + SKEW * SECOND - slow) % SECOND)
#define arrived (me.slow + me.part + me.waited)

/* ---- The rules ---- */

#if defined STRICT
#define repeats false
#define isRecent false
#else

/* repeats, in plugin/decide.go */
#define repeats (age(me.presented) - arrived < WINDOW && arrived - age(me.presented) <= AHEAD)

/* isRecent, in plugin/decide.go, for the row */
#if defined NO_GRACE
#define isRecent false
#elif defined ENDLESS_GRACE
#define isRecent true
#elif defined JUDGED_WHEN_READ
#define isRecent (age(row) - reading(me.slow) <= GRACE)
#elif defined AHEAD_OF_ARRIVAL
#define isRecent (age(row) - arrived <= GRACE && arrived - age(row) <= AHEAD)
#else
#define isRecent (age(row) - arrived <= GRACE && reading(me.slow) - age(row) <= AHEAD)
#endif
#endif

/* decide, in plugin/decide.go */
#ifdef NOT_AHEAD
#define rotates (generation(me.presented) == generation(row) && !me.young)
#else
#define rotates (generation(me.presented) > generation(row) || generation(me.presented) == generation(row) && !me.young)
#endif
#ifdef GRACE_FOR_ALL
#define isReused (generation(me.presented) < generation(row) && !isRecent)
#else
#define isReused (generation(me.presented) + 1 == generation(row) && !isRecent || generation(me.presented) + 1 < generation(row))
#endif

#define decision (revoked -> ended : (rotates -> rotate : (isReused -> reuse : repeat)))

/* rotate, in plugin/refresh.go */
#ifdef PAST_THE_TOKEN
#define catchesUp false
#else
#define catchesUp me.young
#endif

/* Rotate, in internal/store/rotate.go */
#if defined NO_CONDITION
#define isEarlier true
#elif defined EQUAL_CONDITION
#define isEarlier (generation(row) + 1 == generation(me.next))
#else
#define isEarlier (generation(row) < generation(me.next))
#endif
#ifdef WRITES_TO_REVOKED
#define hits isEarlier
#else
#define hits (!revoked && isEarlier)
#endif

/* RevokeReused, in internal/store/revoke.go */
#ifdef REVOKES_ANY_GENERATION
#define revokes (!revoked)
#else
#define revokes (!revoked && generation(row) > generation(me.presented))
#endif

/* ---- The bounds ---- */

/* The token has had a successor for longer than the grace period, by a clock that is slow. */
#ifdef STRICT
#define isLate(t, slow) (generation(t) < NEWEST)
#else
#define isLate(t, slow) (generation(t) == 0 || generation(t) < NEWEST && issued[generation(t) + 1] - reading(slow) > GRACE)
#endif

#if THIEVES || defined STRICT || defined LATE_CLIENT
#define mayArrive(slow) true
#else
#define mayArrive(slow) (!isLate(me.presented, slow))
#endif

#define isServed(r) (r.phase == Mints || r.phase == Updates || r.phase == Reads)
#ifdef STATEMENT_OUTLASTS_LIMIT
#define isOverdue(r) (isServed(r) && r.phase != Updates && r.waited >= LIMIT)
#else
#define isOverdue(r) (isServed(r) && r.waited >= LIMIT)
#endif
#if TABS + THIEVES == 1
#define anyIsOverdue isOverdue(request[0])
#elif TABS + THIEVES == 2
#define anyIsOverdue (isOverdue(request[0]) || isOverdue(request[1]))
#elif TABS + THIEVES == 3
#define anyIsOverdue (isOverdue(request[0]) || isOverdue(request[1]) || isOverdue(request[2]))
#else
#error only three clients are counted here
#endif

/* ---- Time ---- */

inline grow(t) {
	if
	:: age(t) < OLD -> t++
	:: else
	fi
}

/* A token that is late by every clock stays so. All such tokens are alike. */
inline forget(t) {
	if
	:: isLate(t, SKEW) -> t = ANCIENT
	:: else
	fi
}

inline tick() {
	clock = (clock + 1) % SECOND;
	grow(row);
#if LOST
	grow(before);
	grow(earlier);
#endif
	for (k : 1 .. NEWEST) {
		issued[k] = (issued[k] < OLD -> issued[k] + 1 : OLD)
	}
	grow(jar);
	forget(jar);
	for (i : 0 .. N - 1) {
		grow(request[i].presented);
		if
		:: request[i].next -> grow(request[i].next)
		:: else
		fi;
		if
		:: isServed(request[i]) || LOST && request[i].phase == Revokes ->
			request[i].waited = (request[i].waited < LONG -> request[i].waited + 1 : LONG)
		:: request[i].phase == Travels || request[i].phase == Answered -> forget(request[i].presented)
		:: else
		fi
	}
	i = 0; k = 0;
	printf("a tick passes\n")
}

/* ---- A request ---- */

inline check(holds, property) {
	if
	:: holds
	:: else -> printf("broken: %e\n", property); assert(false)
	fi
}

inline arrive(slowClock) {
	me.slow = slowClock;
	me.part = reading(slowClock) - slowClock;
	me.late = isLate(me.presented, slowClock);
	me.young = repeats;
#ifdef STRICT
	theft = theft || me.late || shown;
	shown = shown || generation(me.presented) == NEWEST;
#elif !defined LATE_CLIENT
	theft = theft || me.late;
#endif
	me.phase = (me.young -> Reads : Mints);
	printf("%d arrives with a token %d behind the newest, %d old, at a clock %d slow\n", id, NEWEST - generation(me.presented), age(me.presented), slowClock)
}

inline lower(t) {
	t = (generation(t) > 1 -> t - token(1, 0) : ANCIENT)
}

/* A new generation: from now on it is the newest. */
inline renumber() {
	lower(row);
#if LOST
	lower(before);
	lower(earlier);
#endif
	lower(jar);
	for (i : 0 .. N - 1) {
		lower(request[i].presented);
		if
		:: request[i].next -> lower(request[i].next)
		:: else
		fi
	}
	for (k : 1 .. NEWEST - 1) {
		issued[k] = issued[k + 1]
	}
	issued[NEWEST] = age(row);
#ifdef STRICT
	shown = false;
#endif
	i = 0; k = 0
}

inline write() {
	check(!revoked, noMissedThief);
	check(generation(me.next) > generation(row), noFork);
#if LOST
	earlier = before;
	before = row;
#endif
	row = me.next;
	if
	:: generation(row) > NEWEST -> renumber()
	:: generation(row) <= NEWEST && age(row) > issued[generation(row)] -> issued[generation(row)] = age(row)
	:: else
	fi;
	printf("%d writes a row %d behind the newest, %d old\n", id, NEWEST - generation(row), age(row))
}

inline leave(phaseNow) {
	me.slow = 0; me.part = 0; me.waited = 0; me.updates = 0; me.young = false; me.late = false;
	me.phase = phaseNow
}

inline answer() {
	check(!revoked && (failovers || !me.late), noMissedThief);
	check(failovers || row == token(NEWEST, issued[NEWEST]), noFork);
	check(generation(row) >= generation(me.presented), noFork);
	printf("%d is answered with the live token\n", id);
	if
	:: id < TABS -> me.next = row; leave(Answered)
	:: else -> me.presented = row; me.next = 0; leave(Travels) /* a thief needs no jar */
	fi
}

inline refuse() {
	printf("%d is refused\n", id);
	check(theft, noFalseAlarm);
	check(revoked, noMissedThief);
	me.next = 0;
	me.presented = ANCIENT;
	leave(Refused)
}

proctype Client(byte id) {
end:
	do
	:: d_step { me.phase == Travels && me.presented != jar -> me.presented = jar; printf("%d takes the jar's token\n", id) }
	:: atomic { me.phase == Travels && mayArrive(SKEW) ->
		i = 0;
		do
		:: i < SKEW -> i++
		:: mayArrive(i) -> break
		od;
		d_step { arrive(i); i = 0 } }

	:: d_step { me.phase == Mints ->
		me.updates++;
		check(me.updates <= 3, noGivingUp);
		me.next = (catchesUp -> me.presented : token(generation(me.presented) + 1, reading(me.slow)));
		me.phase = Updates }

	:: d_step { me.phase == Updates && hits -> write(); answer() }
#if !defined STRICT || defined STRICT_WITH_RETRIES
	:: d_step { me.phase == Updates && hits -> write(); printf("%d loses its connection\n", id) }
#endif
	:: d_step { me.phase == Updates && !(hits) ->
		me.next = 0;
#ifdef REVOKES_ON_MISS
		me.phase = Revokes
#else
		me.phase = Reads
#endif
		}

	:: d_step { me.phase == Reads ->
		if
		:: decision == ended -> refuse()
		:: decision == rotate -> me.phase = Mints
		:: decision == reuse -> me.phase = Revokes
		:: decision == repeat -> answer()
		fi }

	/* Nothing limits how long this waits, but there is no time left for another try. */
	:: d_step { me.phase == Revokes ->
		if
		:: revokes ->
			check(generation(row) > generation(me.presented), noFalseAlarm);
#ifndef NO_REVOCATION
			revoked = true;
#endif
			refuse()
		:: !(revokes) && me.waited <= LIMIT -> me.phase = Mints
		:: else -> leave(Travels)
		fi }

	:: d_step { me.phase == Answered -> jar = me.next; me.presented = me.next; me.next = 0; me.phase = Travels; printf("%d receives its answer\n", id) }
	:: d_step { me.phase == Answered -> me.next = 0; me.phase = Travels; printf("%d's answer gets lost\n", id) }
	od
}

proctype Time() {
end:
	do
	:: d_step { !revoked && !anyIsOverdue -> tick() }
	od
}

#if LOST
proctype Failover() {
end:
	do
	:: d_step { failovers < FAILOVERS && row != before ->
		row = before; before = earlier; failovers++; printf("the last write is lost\n") }
	:: d_step { LOST > 1 && failovers < FAILOVERS && row != before && before != earlier ->
		row = earlier; before = earlier; failovers++; printf("the last two writes are lost\n") }
	od
}
#endif

#ifdef TABLE

/* Prints what the rules above say. decisions.txt keeps it for a test of plugin/decide.go. "ago" is in seconds before the arrival. */
#define id 0
active proctype Table() {
	d_step {
		me.slow = SKEW;
		for (i : 0 .. OLD) {
			me.presented = token(NEWEST, i);
			printf("repeats ago=%d: %d\n", i - arrived, repeats)
		}
		for (k : 0 .. LIMIT) {
			me.waited = k;
			for (i : 0 .. OLD) {
				row = token(NEWEST, i);
				printf("isRecent ago=%d waited=%d: %d\n", i - arrived, k, isRecent)
			}
		}
		me.waited = 0;
		for (i : 0 .. 4) {
			for (k : 0 .. 7) {
				me.presented = token(i, 0);
				revoked = k / 4;
				row = token(2, (k / 2 % 2 -> SKEW : OLD));
				me.young = k % 2;
				printf("decide behind=%d revoked=%d recent=%d young=%d: %e\n", 2 - i, revoked, isRecent, me.young, decision)
			}
		}
	}
}

#else

/* The session has lain for long, or has just begun: its live token may rotate. */
init {
	d_step {
		row = token(NEWEST, OLD);
		jar = row;
#if LOST
		before = row;
		earlier = row;
#endif
		for (k : 1 .. NEWEST) { issued[k] = OLD };
		for (i : 0 .. N - 1) { request[i].phase = Travels; request[i].presented = row };
		i = 0; k = 0
	};
	atomic {
		for (k : 0 .. N - 1) { run Client(k) };
		k = 0;
#if LOST
		run Failover();
#endif
#ifndef STRICT
		run Time()
#endif
	}
}

#endif
