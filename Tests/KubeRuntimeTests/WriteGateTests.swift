import AssayTesting
import KubeCore
import Testing

@testable import KubeRuntime

@Suite("Read your own writes")
struct WriteGateTests {
    let time = ManualTime()
    let writer = StoreWriter<String>()
    let key = ObjectKey(namespace: "n", name: "a")

    @Test("a key is not current until the cache shows the operator's last write to it")
    func gate() {
        let gate = WriteGate<ObjectKey>(time: time)
        writer.replace(with: [WatcherScript.item("a", 5)], version: "10")
        #expect(gate.isCurrent(key, in: writer.store))
        gate.record(key, resourceVersion: "20")
        gate.record(key, resourceVersion: "15")
        #expect(!gate.isCurrent(key, in: writer.store))
        writer.upsert(WatcherScript.item("a", 15), version: "15")
        #expect(!gate.isCurrent(key, in: writer.store))
        writer.upsert(WatcherScript.item("a", 20), version: "20")
        #expect(gate.isCurrent(key, in: writer.store))
    }

    @Test("a later write of another client opens the gate, too")
    func laterWrite() {
        let gate = WriteGate<ObjectKey>(time: time)
        gate.record(key, resourceVersion: "20")
        #expect(gate.isCurrent(key, cached: "100", cacheVersion: "100"))
    }

    @Test("a missing object counts as delayed until the cache is newer than the write, then as deleted")
    func gone() {
        let gate = WriteGate<ObjectKey>(time: time)
        writer.replace(with: [], version: "10")
        gate.record(key, resourceVersion: "20")
        #expect(!gate.isCurrent(key, in: writer.store))
        writer.advance(to: "19")
        #expect(!gate.isCurrent(key, in: writer.store))
        writer.delete(key, version: "25")
        #expect(gate.isCurrent(key, in: writer.store))
    }

    @Test("an object that never appears does not block its key for ever")
    func patience() {
        let gate = WriteGate<ObjectKey>(time: time, patienceSeconds: 60)
        gate.record(key, resourceVersion: "20")
        time.advance(seconds: 59)
        #expect(!gate.isCurrent(key, cached: nil, cacheVersion: "10"))
        time.advance(seconds: 1)
        #expect(gate.isCurrent(key, cached: nil, cacheVersion: "10"))
    }

    @Test("an owner waits until its created pods appear and its deleted pods are gone or being deleted")
    func expectations() {
        let expectations = Expectations<String>(time: time)
        let pods = ["a", "b"].map { ObjectKey(namespace: "n", name: $0) }
        writer.replace(with: [WatcherScript.item("b", 5)], version: "10")
        #expect(expectations.areMet(for: "job", in: writer.store))
        expectations.wrote(pods[0], version: "12", for: "job")
        expectations.deleted(pods[1], uid: "uid-b", for: "job")
        #expect(!expectations.areMet(for: "job", in: writer.store))
        #expect(expectations.areMet(for: "another", in: writer.store))
        writer.upsert(WatcherScript.item("a", 12), version: "12")
        #expect(!expectations.areMet(for: "job", in: writer.store))
        writer.upsert(
            WatchedItem(key: pods[1], uid: "uid-b", version: "13", isDeleting: true, object: "going"), version: "13")
        #expect(expectations.areMet(for: "job", in: writer.store))
    }

    @Test("a deletion is met by a new object of the same name; a creation by an object that was deleted since")
    func replacedObjects() {
        let expectations = Expectations<String>(time: time)
        writer.replace(with: [WatcherScript.item("a", 5)], version: "10")
        expectations.deleted(key, uid: "uid-a", for: "job")
        writer.upsert(WatcherScript.item("a", 14, uid: "other"), version: "14")
        #expect(expectations.areMet(for: "job", in: writer.store))
        let short = ObjectKey(namespace: "n", name: "short-lived")
        expectations.wrote(short, version: "16", for: "job")
        #expect(!expectations.areMet(for: "job", in: writer.store))
        writer.advance(to: "18")
        #expect(expectations.areMet(for: "job", in: writer.store))
    }

    @Test("expectations are dropped after a time, and with their owner")
    func givenUp() {
        let expectations = Expectations<String>(time: time, patienceSeconds: 60)
        writer.replace(with: [], version: "10")
        expectations.wrote(key, version: "12", for: "job")
        time.advance(seconds: 61)
        #expect(expectations.areMet(for: "job", in: writer.store))
        expectations.wrote(key, version: "99", for: "job")
        expectations.forget("job")
        #expect(expectations.areMet(for: "job", in: writer.store))
    }
}
