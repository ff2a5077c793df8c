import Base
import Testing

@testable import KubeRuntime

@Suite("The decisions of a leader election")
struct LeaseElectorTests {
    let wall = Timestamp(seconds: 1_800_000_000)

    func held(by holder: String, renewed: Timestamp, transitions: Int = 3) -> LeaseRecord {
        LeaseRecord(holder: holder, durationSeconds: 15, acquireTime: renewed, renewTime: renewed, transitions: transitions)
    }

    @Test("a missing lease is created")
    func create() {
        var elector = LeaseElector(identity: "me")
        let decision = elector.decide(nil, now: 0, wall: wall)
        #expect(decision == .create(held(by: "me", renewed: wall, transitions: 0)))
        #expect(!elector.isLeader)
    }

    @Test("a lease that is renewed is respected; one that is unchanged for its duration is taken")
    func takeOver() {
        var elector = LeaseElector(identity: "me")
        var theirs = held(by: "other", renewed: wall)
        #expect(elector.decide(theirs, now: 100, wall: wall) == .stand(holder: "other"))
        #expect(elector.decide(theirs, now: 114, wall: wall) == .stand(holder: "other"))
        theirs.renewTime = wall.adding(seconds: 14)
        #expect(elector.decide(theirs, now: 114.5, wall: wall) == .stand(holder: "other"))
        #expect(elector.decide(theirs, now: 129, wall: wall) == .stand(holder: "other"))
        let later = wall.adding(seconds: 30)
        #expect(elector.decide(theirs, now: 129.5, wall: later) == .write(held(by: "me", renewed: later, transitions: 4)))
    }

    @Test("catalogue 39: the times in the record and the local wall clock are not used", arguments: [-3600.0, 0, 3600])
    func skew(_ seconds: Double) {
        var elector = LeaseElector(identity: "me")
        let theirs = held(by: "other", renewed: wall.adding(seconds: seconds))
        #expect(elector.decide(theirs, now: 0, wall: wall) == .stand(holder: "other"))
        #expect(elector.decide(theirs, now: 14, wall: wall.adding(seconds: -seconds)) == .stand(holder: "other"))
        guard case .write = elector.decide(theirs, now: 15, wall: wall.adding(seconds: seconds)) else {
            Issue.record("the lease expired and was not taken")
            return
        }
    }

    @Test("a leader must renew within the deadline, counted from before its last write")
    func deadline() {
        var elector = LeaseElector(identity: "me")
        elector.wrote(held(by: "me", renewed: wall), begunAt: 50)
        #expect(elector.isLeader)
        #expect(!elector.hasLost(now: 59.9))
        #expect(elector.hasLost(now: 60))
        elector.wrote(held(by: "me", renewed: wall), begunAt: 58)
        #expect(!elector.hasLost(now: 60))
        #expect(elector.mustRenewBy == 68)
    }

    @Test("catalogue 38: a lease that another process holds is lost at once")
    func stolen() {
        var elector = LeaseElector(identity: "me")
        elector.wrote(held(by: "me", renewed: wall), begunAt: 50)
        #expect(elector.decide(held(by: "thief", renewed: wall), now: 52, wall: wall) == .stand(holder: "thief"))
        #expect(elector.hasLost(now: 52))
        #expect(elector.release(wall: wall) == nil)
    }

    @Test("a released lease is taken at once, and a release keeps the count of transitions")
    func release() throws {
        var elector = LeaseElector(identity: "me")
        elector.wrote(held(by: "me", renewed: wall), begunAt: 50)
        let released = try #require(elector.release(wall: wall))
        #expect(released.holder.isEmpty)
        #expect(released.transitions == 3)
        var other = LeaseElector(identity: "other")
        #expect(other.decide(released, now: 0, wall: wall) == .write(held(by: "other", renewed: wall, transitions: 4)))
    }

    @Test("a record of the same identity from before a restart is continued")
    func restart() {
        var elector = LeaseElector(identity: "me")
        let mine = held(by: "me", renewed: wall)
        let later = wall.adding(seconds: 5)
        guard case .write(let record) = elector.decide(mine, now: 0, wall: later) else {
            Issue.record("not continued")
            return
        }
        #expect(record.acquireTime == wall)
        #expect(record.renewTime == later)
        #expect(record.transitions == 3)
    }
}
