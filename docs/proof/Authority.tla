----------------------------- MODULE Authority -----------------------------
(* The authority rules of docs/failover.md 2.4 and the data rules that they lean on. README.md beside *)
(* this page says what is stated, what is left out, and how it is checked.                            *)
(*                                                                                                    *)
(* Time is a count of ticks. An ack and a renewal are worth Wait ticks to the holder, from their      *)
(* SENDING; a challenger waits Wait ticks from what it did or SAW. The fence comes before the         *)
(* challenger (docs/failover.md 2.5): so both ends may be one tick, and within it the holder's first. *)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS Members, First, \* everybody; who leads at the beginning
          K,              \* k: copies of a waited write
          Wait,           \* W and T_p, in ticks
          MaxEpoch, MaxWrites, Changes, Silences, Crashes  \* how far TLC is to look

VARIABLES record, \* what stands in the store
          cas,    \* compare-and-swaps of E on their way: late, lost, or not answered
          m,      \* the members, each with its disk and its engine
          waited, \* per write the epoch in which WAIT answered for it; 0: not
          left    \* budgets of faults
vars == <<record, cas, m, waited, left>>
Max(a, b) == IF a > b THEN a ELSE b
Older(age) == IF age < Wait THEN age + 1 ELSE Wait
Prefix(a, b) == Len(a) <= Len(b) /\ SubSeq(b, 1, Len(a)) = a
Has(log, w) == \E i \in 1..Len(log) : log[i] = w
Nobody == [x \in Members |-> Wait]

(* How many. a + p > n: one member is among the ackers and the promisers. k + p > n: one is among    *)
(* those who have a waited write and the promisers.                                                  *)
Promises(E) == LET n == Cardinality(E)
               IN Max(n \div 2 + 1, IF K >= 1 THEN n + 1 - K ELSE 0)
Acks(E) == IF E = {} THEN 0 ELSE Cardinality(E) + 1 - Promises(E)
Witnesses(E) == IF K = 0 \/ K > Cardinality(E) THEN 0 ELSE Cardinality(E) + 1 - K

(* Hold. The lease, or the peers; while a change of E is open, the peers of both. *)
PeersHold(h, E) == Cardinality({x \in E : m[h].acks[x] < Wait}) >= Acks(E)
Authority(h) == m[h].role = "leads" /\ (m[h].lease < Wait \/ \A E \in m[h].under : PeersHold(h, E))
ItsOwn(h) == record.holder = h /\ record.epoch = m[h].epoch
Busy(h) == \E c \in cas : c.owner = h /\ c.heard

(* How a member's data stand, and what that proves of the record's line of data. *)
Report(x) == [who |-> x, line |-> m[x].line, offset |-> Len(m[x].log), complete |-> m[x].complete,
              exact |-> m[x].exact, attached |-> m[x].attached]
IsWitness(r) == (r.complete /\ r.exact) \/ r.attached # record.line
Stands(r) == /\ r.complete
             /\ \/ r.line = record.line /\ r.offset >= record.from[r.who]
                \/ /\ record.from[r.who] <= Len(record.start)  \* a seat from the line's beginning
                   /\ r.line = record.parent /\ r.offset >= Len(record.start)
Above(a, b) == \* complete first, then the epoch of the line, then the offset
    \/ a.complete /\ ~b.complete
    \/ a.complete = b.complete /\ (a.line > b.line \/ (a.line = b.line /\ a.offset > b.offset))

(* A write of the record makes every candidacy void, for it is for one version of it, and every other *)
(* compare-and-swap stale. S: the members as they are otherwise after this step.                      *)
Written(to, S, C) ==
    /\ record' = to
    /\ m' = [x \in Members |-> [S[x] EXCEPT !.saw = 0, !.asks = 0, !.granted = {}]]
    /\ cas' = {[c EXCEPT !.stage = IF @ = "open" THEN "stale" ELSE @] : c \in
                  {c \in C : c.heard \/ c.stage # "open"}}
    /\ UNCHANGED <<waited, left>>
Only(S) == m' = S /\ UNCHANGED <<record, cas, waited, left>> \* a step that touches members alone
Settled(h, r) == [m[h] EXCEPT !.role = "leads", !.lease = 0, !.epoch = r.epoch, !.under = {r.seats},
                              !.out = {}, !.known = <<r.epoch, r.version>>]

(* A member begins to lead with a new line of data: a bump does not (D15). *)
NewLine(x, e, E) == [holder |-> x, epoch |-> e, seats |-> E, version |-> 0, line |-> e,
                     start |-> m[x].log, parent |-> m[x].line,
                     from |-> [y \in Members |-> Len(m[x].log)]]
Leads(x, r) == [m[x] EXCEPT !.role = "leads", !.epoch = r.epoch, !.lease = 0, !.acks = Nobody,
                            !.under = {r.seats}, !.out = {}, !.known = <<r.epoch, 0>>,
                            !.line = r.line, !.start = Len(m[x].log), !.exact = TRUE, !.attached = 0,
                            !.upstream = x]
Dropped(S, h) == [x \in Members |->
    IF S[x].upstream = h /\ x # h THEN [S[x] EXCEPT !.upstream = x] ELSE S[x]]
NextEpoch(x) == Max(Max(record.epoch, m[x].known[1]), m[x].promised[1]) + 1

Init ==
    LET E == Members \ {First} IN
    /\ record = [holder |-> First, epoch |-> 1, seats |-> E, version |-> 0, line |-> 1,
                 start |-> <<>>, parent |-> 0, from |-> [x \in Members |-> 0]]
    /\ cas = {}
    /\ m = [x \in Members |->
            [role |-> IF x = First THEN "leads" ELSE "follows", epoch |-> IF x = First THEN 1 ELSE 0,
             under |-> IF x = First THEN {E} ELSE {{}},
             out |-> {}, barrier |-> 0,                    \* cut off for a shrink, and at which offset
             lease |-> IF x = First THEN 0 ELSE Wait, acks |-> Nobody,
             promised |-> <<0, x>>, known |-> <<1, 0>>,    \* on disk
             acked |-> Wait, saw |-> 0, asks |-> 0, granted |-> {},
             log |-> <<>>, line |-> 1, start |-> 0, complete |-> TRUE, exact |-> TRUE, target |-> 0,
             attached |-> IF x = First THEN 0 ELSE 1, upstream |-> First]]
    /\ waited = [w \in 1..MaxWrites |-> 0]
    /\ left = [changes |-> Changes, silences |-> Silences, crashes |-> Crashes, writes |-> 0]

(* Holding. A tick fences who has lost its authority: its acks hold nothing any more, only a write of *)
(* the record brings it back. A lazy holder renews seldom: so Renew is never due here.                *)
Tick ==
    LET aged == [x \in Members |-> [m[x] EXCEPT !.lease = Older(@), !.acked = Older(@),
                     !.acks = [y \in Members |-> Older(@[y])],
                     !.saw = IF @ = 0 THEN 0 ELSE IF @ > Wait THEN @ ELSE @ + 1]]
        holds(x) == aged[x].lease < Wait \/ \A E \in aged[x].under :
                        Cardinality({y \in E : aged[x].acks[y] < Wait}) >= Acks(E)
        ends(x) == Authority(x) /\ ~holds(x)
    IN /\ Only([x \in Members |->
                LET free == [aged[x] EXCEPT !.upstream = IF ends(@) THEN x ELSE @]
                IN IF ends(x) THEN [free EXCEPT !.role = "fenced", !.acks = Nobody] ELSE free])
See(x) == /\ m[x].role = "follows" /\ m[x].saw = 0  \* reading is not following: see Ack
          /\ Only([m EXCEPT ![x].saw = 1])
Renew(h) == /\ m[h].role \in {"leads", "fenced"} /\ ItsOwn(h) /\ ~Busy(h)
            /\ Written(record, [m EXCEPT ![h] = Settled(h, record)], cas)

(* A heartbeat and its ack, of age 0: any delay only shortens the authority that it gives. *)
Ack(x, h) == /\ x # h /\ m[h].role = "leads" /\ m[x].role # "down"
             /\ \E E \in m[h].under : x \in E
             /\ m[x].role = "follows" \/ m[x].epoch < m[h].epoch
             /\ m[x].promised[1] < m[h].epoch \/ m[x].promised = <<m[h].epoch, h>>
             /\ m[x].known[1] <= m[h].epoch
             /\ LET S == IF m[x].role = "follows" THEN m ELSE Dropped(m, x)
                IN Only([S EXCEPT ![h].acks[x] = 0, ![x].acked = 0, ![x].role = "follows",
                               ![x].asks = 0, ![x].granted = {},
                               ![x].known = IF @[1] < m[h].epoch THEN <<m[h].epoch, 0>> ELSE @])
StepDown(h) == /\ m[h].role \in {"leads", "fenced"} /\ record.epoch > m[h].epoch
               /\ Only([Dropped(m, h) EXCEPT ![h].role = "follows", ![h].under = {{}}, ![h].out = {},
                                ![h].known = <<record.epoch, record.version>>])

(* A promise stands in the way: a higher epoch for the same lead. Authority only, no new line. *)
Bump(h) ==
    LET e == CHOOSE e \in 0..MaxEpoch : /\ \A x \in Members : m[x].promised[1] <= e
                                        /\ \E x \in Members : m[x].promised[1] = e
        r == [record EXCEPT !.epoch = e + 1]
    IN /\ m[h].role \in {"leads", "fenced"} /\ ItsOwn(h) /\ ~Busy(h)
       /\ e >= m[h].epoch /\ e < MaxEpoch
       /\ Written(r, [m EXCEPT ![h] = Settled(h, r)], cas)

(* Changes of E. Away: cut off first, then wait until the rest has the offset, then write, and who    *)
(* remains stands from that offset on. In: write first, attach after. From the SENDING on both count. *)
MayChange(h) == Authority(h) /\ ItsOwn(h) /\ ~Busy(h) /\ m[h].under = {record.seats}
CutOff(h, x) == /\ MayChange(h) /\ m[h].out = {} /\ x \in record.seats /\ left.changes > 0
                /\ m' = [m EXCEPT ![h].out = {x}, ![h].barrier = Len(m[h].log), ![x].upstream = x]
                /\ left' = [left EXCEPT !.changes = @ - 1]
                /\ UNCHANGED <<record, cas, waited>>
Send(h, to) == /\ cas' = cas \cup {[owner |-> h, to |-> to, stage |-> "open", heard |-> TRUE]}
               /\ m' = [m EXCEPT ![h].under = @ \cup {to.seats}]
               /\ UNCHANGED <<record, waited>>

SendShrink(h) ==
    LET E == record.seats \ m[h].out
        lifted == [x \in Members |-> IF x \in E \cup {h} THEN Max(record.from[x], m[h].barrier)
                                     ELSE record.from[x]]
    IN /\ MayChange(h) /\ m[h].out # {}
       /\ \A x \in E : /\ m[x].upstream = h /\ m[x].complete /\ m[x].line = record.line
                       /\ Len(m[x].log) >= m[h].barrier
       /\ Send(h, [record EXCEPT !.seats = E, !.version = @ + 1, !.from = lifted])
       /\ UNCHANGED left

SendGrow(h, x) ==
    /\ MayChange(h) /\ m[h].out = {} /\ x \notin record.seats \cup {h} /\ left.changes > 0
    /\ Send(h, [record EXCEPT !.seats = @ \cup {x}, !.version = @ + 1, !.from[x] = Len(m[h].log)])
    /\ left' = [left EXCEPT !.changes = @ - 1]

Commit(c) == /\ c.stage = "open"
             /\ Written(c.to, [x \in Members |-> IF x \in c.to.seats \ record.seats
                                                 THEN [m[x] EXCEPT !.attached = 0] ELSE m[x]],
                        (cas \ {c}) \cup IF c.heard THEN {[c EXCEPT !.stage = "done"]} ELSE {})

(* A refusal ends nothing: the electorates stay joint until a later write of one's own succeeds. *)
Answer(c) == /\ c.stage # "open" /\ cas' = cas \ {c}
             /\ m' = IF c.stage = "done" /\ ItsOwn(c.owner) /\ m[c.owner].role = "leads"
                     THEN [m EXCEPT ![c.owner].under = {c.to.seats}, ![c.owner].out = {}] ELSE m
             /\ UNCHANGED <<record, waited, left>>
Silence(c) == /\ c.heard /\ left.silences > 0
              /\ cas' = (cas \ {c}) \cup IF c.stage = "open" THEN {[c EXCEPT !.heard = FALSE]} ELSE {}
              /\ left' = [left EXCEPT !.silences = @ - 1]
              /\ UNCHANGED <<record, m, waited>>

(* Take. Promises first, each with its giver's engine detached and its stamp taken after that; then   *)
(* the record, unchanged for Wait here. The highest stamp leads, and somebody in the quorum stands.   *)
Promised(x, by, e) == [m EXCEPT ![by].promised = <<e, x>>, ![by].upstream = by]
AskFor(x) ==
    LET e == NextEpoch(x) IN
    /\ m[x].role = "follows" /\ x \in record.seats /\ m[x].complete /\ m[x].saw > 0
    /\ m[x].acked = Wait /\ e <= MaxEpoch
    /\ m[x].asks = 0 \/ \E y \in Members : m[y].promised[1] >= m[x].asks /\ m[y].promised[2] # x
    /\ Only([Promised(x, x, e) EXCEPT ![x].asks = e, ![x].granted = {Report(x)}])
Promise(y, x) ==
    LET e == m[x].asks IN
    /\ y # x /\ e > 0 /\ y \in record.seats /\ m[y].role = "follows"
    /\ m[y].promised[1] < e /\ m[y].known[1] < e /\ m[y].acked = Wait
    /\ ~Above(Report(y), Report(x))
    /\ Only([Promised(x, y, e) EXCEPT ![x].granted = @ \cup {Report(y)},
                                      ![y].asks = 0, ![y].granted = {}])

TakeOver(x) ==
    LET quorum == {r \in m[x].granted : r.who \in record.seats}
        r == NewLine(x, m[x].asks, {g.who : g \in m[x].granted} \ {x})
    IN /\ m[x].role = "follows" /\ m[x].asks > record.epoch /\ m[x].promised = <<m[x].asks, x>>
       /\ m[x].saw > Wait
       /\ Cardinality(quorum) >= Promises(record.seats)
       /\ Cardinality({g \in quorum : IsWitness(g)}) >= Witnesses(record.seats)
       /\ \E g \in quorum : IF K = 0 THEN g.complete /\ g.line > 0 ELSE Stands(g)
       /\ Written(r, [m EXCEPT ![x] = Leads(x, r)], cas)

(* The record's own holder, after a restart: at once if its data reach its own from, and are exact or *)
(* nobody else may have more.                                                                         *)
LeadAgain(x) ==
    LET e == NextEpoch(x)
        r == NewLine(x, e, record.seats)
    IN /\ m[x].role = "follows" /\ record.holder = x /\ e <= MaxEpoch
       /\ m[x].exact \/ record.seats = {}
       /\ Stands(Report(x))
       /\ Written(r, [m EXCEPT ![x] = Leads(x, r)], cas)

(* Engines. WAIT answers as soon as K replicas that are attached have a write. *)
Answered(h, S) == [w \in DOMAIN waited |->
    IF waited[w] = 0 /\ K > 0 /\ Has(S[h].log, w)
       /\ Cardinality({x \in Members \ {h} : S[x].upstream = h /\ S[x].complete /\ Has(S[x].log, w)})
          >= K
    THEN S[h].epoch ELSE waited[w]]

Flows(h, S) == m' = S /\ waited' = Answered(h, S) /\ UNCHANGED <<record, cas, left>>

(* An epoch is earned at its line's start, exactness where the primary was when the link came up. *)
Earned(x, h, log, target) ==
    [m[x] EXCEPT !.log = log, !.upstream = h, !.target = target,
                 !.line = IF Len(log) >= m[h].start THEN m[h].line ELSE @,
                 !.start = IF Len(log) >= m[h].start THEN m[h].start ELSE @,
                 !.exact = @ \/ Len(log) >= target]

Write(h) == /\ Authority(h) /\ left.writes < MaxWrites
            /\ left' = [left EXCEPT !.writes = @ + 1]
            /\ m' = [m EXCEPT ![h].log = Append(@, left.writes + 1)]
            /\ waited' = Answered(h, m') /\ UNCHANGED <<record, cas>>

(* The primary admits: only who has a seat, and never who is on its way out. On disk before it is so,
   also where an engine connects again by itself: who has not acknowledged this lead is not let in (D16). *)
Attach(x, h) ==
    LET whole == m[x].complete /\ Prefix(m[x].log, m[h].log)
        next == IF whole THEN Earned(x, h, m[x].log, Len(m[h].log))
                ELSE [m[x] EXCEPT !.log = <<>>, !.complete = FALSE, !.upstream = h]
    IN /\ x # h /\ Authority(h) /\ m[x].role = "follows" /\ m[x].upstream # h
       /\ \A E \in m[h].under : x \in E \ m[h].out
       /\ m[x].promised[1] < m[h].epoch \/ m[x].promised = <<m[h].epoch, h>>
       /\ m[x].known[1] <= m[h].epoch
       /\ Flows(h, [m EXCEPT ![x] = [next EXCEPT !.attached = m[h].line, !.asks = 0, !.granted = {},
                      !.known = IF @[1] < m[h].epoch THEN <<m[h].epoch, 0>> ELSE @]])
Load(x, h) == /\ x # h /\ Authority(h) /\ m[x].upstream = h /\ ~m[x].complete
              /\ Flows(h, [m EXCEPT ![x] = [Earned(x, h, m[h].log, 0) EXCEPT !.complete = TRUE]])
Apply(x, h) == /\ x # h /\ Authority(h) /\ m[x].upstream = h /\ m[x].complete
               /\ Len(m[x].log) < Len(m[h].log)
               /\ Flows(h, [m EXCEPT ![x] = Earned(x, h, SubSeq(m[h].log, 1, Len(@.log) + 1), @.target)])
Detach(x) == /\ m[x].upstream # x /\ Only([m EXCEPT ![x].upstream = x])

(* Faults. What it has sent may still be carried out. An unclean stop may lose the last write, and    *)
(* proves nothing after that; a stamp that is cut below its line's start loses its epoch.             *)
Crash(x) ==
    /\ m[x].role # "down" /\ left.crashes > 0 /\ left' = [left EXCEPT !.crashes = @ - 1]
    /\ \E lost \in 0..(IF m[x].log = <<>> THEN 0 ELSE 1) :
         LET rest == Len(m[x].log) - lost
         IN m' = [Dropped(m, x) EXCEPT ![x] = [@ EXCEPT
                 !.role = "down", !.exact = FALSE, !.log = SubSeq(@, 1, rest),
                 !.line = IF rest < m[x].start THEN 0 ELSE @, !.under = {{}}, !.out = {},
                 !.upstream = x, !.asks = 0, !.granted = {}, !.saw = 0]]
    /\ cas' = {[c EXCEPT !.heard = @ /\ c.owner # x] : c \in
                  {c \in cas : c.owner # x \/ c.stage = "open"}}
    /\ UNCHANGED <<record, waited>>
Restart(x) == /\ m[x].role = "down" \* what it acked before is not known: it waits T_p
              /\ Only([m EXCEPT ![x].role = "follows", ![x].acked = 0])

Next == \/ Tick
        \/ \E x \in Members :
            \/ See(x) \/ Renew(x) \/ StepDown(x) \/ Bump(x) \/ SendShrink(x) \/ AskFor(x)
            \/ TakeOver(x) \/ LeadAgain(x) \/ Write(x) \/ Detach(x) \/ Crash(x) \/ Restart(x)
            \/ \E h \in Members :
                \/ Ack(x, h) \/ CutOff(h, x) \/ SendGrow(h, x) \/ Promise(x, h)
                \/ Attach(x, h) \/ Load(x, h) \/ Apply(x, h)
        \/ \E c \in cas : Commit(c) \/ Answer(c) \/ Silence(c)
Spec == Init /\ [][Next]_vars

(* I1: one writer. I2: who leads began with every write that WAIT had answered before. I3: nobody     *)
(* leads with a half dataset. I6: epochs of successive primaries grow, and the record's never shrink. *)
I1 == \A a, b \in Members : Authority(a) /\ Authority(b) => a = b
I2 == \A w \in DOMAIN waited :
          0 < waited[w] /\ waited[w] < record.line => Has(record.start, w)
I3 == \A x \in Members : m[x].role = "leads" => m[x].complete
I6 == [][/\ record'.epoch >= record.epoch
         /\ record'.holder # record.holder => record'.epoch > record.epoch]_vars
=============================================================================
