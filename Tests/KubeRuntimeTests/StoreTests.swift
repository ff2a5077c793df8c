import Base
import KubeCore
import Testing

@testable import KubeRuntime

@Suite("Store")
struct StoreTests {
    let writer = StoreWriter<String>()

    @Test("a replacement reports additions, changes and deletions once, and nothing for unchanged objects")
    func replacement() {
        let seen = Recorded(writer.store)
        writer.replace(with: [WatcherScript.item("a", 1), WatcherScript.item("b", 2)], version: "5")
        writer.replace(with: [WatcherScript.item("a", 1), WatcherScript.item("b", 6), WatcherScript.item("c", 7)], version: "8")
        writer.replace(with: [WatcherScript.item("c", 7)], version: "9")
        #expect(seen.lines == ["+a@1", "+b@2", "~b@6", "+c@7", "-a@1", "-b@6"])
    }

    @Test("an object that was deleted and created again is a deletion and an addition")
    func recreated() {
        writer.replace(with: [WatcherScript.item("a", 1)], version: "5")
        let seen = Recorded(writer.store)
        writer.replace(with: [WatcherScript.item("a", 9, uid: "other")], version: "10")
        writer.upsert(WatcherScript.item("a", 12, uid: "third"), version: "12")
        #expect(seen.lines == ["+a@1", "-a@1", "+a@9", "-a@9", "+a@12"])
    }

    @Test("an object that cannot be decoded keeps its last known state")
    func unreadable() {
        writer.replace(with: [WatcherScript.item("a", 1)], version: "5")
        let key = ObjectKey(namespace: "n", name: "a")
        writer.upsert(WatchedItem<String>(key: key, uid: "uid-a", version: "6", object: nil), version: "6")
        writer.replace(with: [WatchedItem<String>(key: key, uid: "uid-a", version: "6", object: nil)], version: "7")
        #expect(writer.store.get(key) == "a@1")
        #expect(writer.store.version == "7")
    }

    @Test("a recreated object that cannot be decoded is a deletion of the old one")
    func unreadableSuccessor() {
        writer.replace(with: [WatcherScript.item("a", 1)], version: "5")
        let key = ObjectKey(namespace: "n", name: "a")
        writer.upsert(WatchedItem<String>(key: key, uid: "other", version: "6", object: nil), version: "6")
        #expect(writer.store.get(key) == nil)
    }

    @Test("a late subscriber first gets the existing objects; a cancelled one gets nothing more")
    func subscription() {
        writer.replace(with: [WatcherScript.item("a", 1)], version: "5")
        let lines = Locked<[String]>([])
        let subscription = writer.store.subscribe { change in lines.withLock { $0.append(change.key.name) } }
        writer.upsert(WatcherScript.item("b", 6), version: "6")
        subscription.cancel()
        writer.upsert(WatcherScript.item("c", 7), version: "7")
        #expect(lines.withLock { $0 } == ["a", "b"])
    }

    @Test("an index follows changes")
    func index() {
        // The value is the object's first letter and the length of its version.
        let index = writer.store.index { [String($0.object.prefix(1)), String($0.version.count)] }
        writer.replace(with: [WatcherScript.item("a1", 1), WatcherScript.item("a2", 22), WatcherScript.item("b1", 3)], version: "30")
        #expect(index.objects(for: "a") == ["a1@1", "a2@22"])
        #expect(index.count(for: "1") == 2)
        writer.upsert(WatcherScript.item("a1", 44), version: "44")
        #expect(index.objects(for: "2") == ["a1@44", "a2@22"])
        writer.delete(ObjectKey(namespace: "n", name: "b1"), version: "45")
        #expect(index.objects(for: "b").isEmpty)
        #expect(Set(index.values) == ["a", "2"])
        let late = writer.store.index { [$0.key.name] }
        #expect(late.count(for: "a1") == 1)
    }

    @Test("waiting for the first state ends with that state or with a cancellation")
    func synced() async throws {
        let store = writer.store
        let cancelled = Task { try await store.waitUntilSynced() }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        let waiting = Task { try await store.waitUntilSynced() }
        #expect(!store.hasSynced)
        writer.replace(with: [], version: "1")
        try await waiting.value
        try await store.waitUntilSynced()
        #expect(store.hasSynced)
    }
}
