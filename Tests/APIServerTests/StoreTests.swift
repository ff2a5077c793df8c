import AssayTesting
import Base
import Foundation
@testable import HTTPServing
import Testing

@testable import APIServer

@Suite("The object store on disk")
struct StoreTests {
    private let things = ResourceID("things", group: "test.assay.dev")

    private func value(_ name: String, _ number: Int) -> JSONValue {
        ["metadata": ["name": .string(name), "uid": .string("uid-\(name)")], "spec": ["n": JSONValue(number)]]
    }

    private func key(_ name: String) -> StoreKey { StoreKey(namespace: "default", name: name) }

    private func open(_ directory: String, compactAt: Int = Journal.minimumCompaction) throws -> ObjectStore {
        try ObjectStore(directory: directory, historyLimit: 100, compactAt: compactAt)
    }

    @Test("settled changes are found when a copy of a running store's files is opened (as after a kill)")
    func killed() async throws {
        try await withDirectory { directory in
            let live = directory + "/live"
            let store = try open(live)
            for number in 0..<50 {
                try store.create(things, key("a\(number)"), value("a\(number)", number), needsNamespace: false)
            }
            let first = try #require(store.get(things, key("a0")))
            try store.update(things, first, value("a0", 1000))
            try store.delete(things, try #require(store.get(things, key("a1"))))
            let revision = store.revision
            try store.settle(revision)
            let copy = directory + "/copy"
            try FileManager.default.copyItem(atPath: live, toPath: copy)
            let reopened = try open(copy)
            #expect(reopened.revision == revision)
            #expect(try reopened.list(things).objects.count == 49)
            #expect(reopened.get(things, key("a0"))?.value.at("spec", "n") == 1000)
            #expect(reopened.get(things, key("a1")) == nil)
            #expect(reopened.object(uid: "uid-a7")?.object.name == "a7")
            let next = try reopened.create(things, key("new"), value("new", 1), needsNamespace: false)
            #expect(next.revision == revision + 1)
            reopened.close()
            store.close()
        }
    }

    @Test("an incomplete last record is dropped, wherever it was cut; everything before it is kept")
    func torn() async throws {
        try await withDirectory { directory in
            let whole = directory + "/whole"
            let store = try open(whole)
            for number in 0..<3 {
                try store.create(things, key("a\(number)"), value("a\(number)", number), needsNamespace: false)
            }
            store.close()
            let journal = try Data(contentsOf: URL(fileURLWithPath: whole + "/journal-0"))
            let last = JournalRecord.put(
                resource: things,
                object: StoredObject(resource: things, key: key("a2"), revision: 3, value: value("a2", 2))
            ).encoded.count
            for cut in [1, 2, last / 2, last - 9, last - 8, last - 7, last - 4, last - 1] {
                let path = directory + "/cut"
                try? FileManager.default.removeItem(atPath: path)
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
                try journal.dropLast(cut).write(to: URL(fileURLWithPath: path + "/journal-0"))
                let reopened = try open(path)
                #expect(reopened.revision == 2)
                #expect(try reopened.list(things).objects.map(\.name) == ["a0", "a1"])
                // The store continues after the valid part, and the result is readable again.
                try reopened.create(things, key("b"), value("b", 1), needsNamespace: false)
                reopened.close()
                let again = try open(path)
                #expect(try again.list(things).objects.map(\.name) == ["a0", "a1", "b"])
                again.close()
            }
        }
    }

    @Test("a flipped bit in the last record drops it; one in a journal that was closed long ago is an error that names the file")
    func damaged() async throws {
        try await withDirectory { directory in
            let store = try open(directory + "/d")
            for number in 0..<3 {
                try store.create(things, key("a\(number)"), value("a\(number)", number), needsNamespace: false)
            }
            store.close()
            let file = URL(fileURLWithPath: directory + "/d/journal-0")
            var bytes = try Data(contentsOf: file)
            bytes[bytes.count - 5] ^= 0x10
            try bytes.write(to: file)
            let reopened = try open(directory + "/d")
            #expect(reopened.revision == 2)
            reopened.close()
            // A later journal follows, so this one must be complete.
            try Data("assay-store-1\n".utf8).write(to: URL(fileURLWithPath: directory + "/d/journal-9"))
            bytes = try Data(contentsOf: file)
            bytes[bytes.count - 5] ^= 0x10
            try bytes.write(to: file)
            do {
                _ = try open(directory + "/d")
                Issue.record("a damaged journal was opened")
            } catch {
                #expect("\(error)".contains("journal-0"))
            }
        }
    }

    @Test("many writers: every settled write is stored, in one order")
    func concurrent() async throws {
        try await withDirectory { directory in
            let store = try open(directory + "/d", compactAt: 20_000)
            await withTaskGroup(of: Void.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        for number in 0..<50 {
                            let name = "w\(writer)-\(number)"
                            let object = try? store.create(things, key(name), value(name, number), needsNamespace: false)
                            guard let object, (try? store.settle(object.revision)) != nil else {
                                Issue.record("write \(name) failed")
                                return
                            }
                        }
                    }
                }
            }
            store.close()
            let names = try FileManager.default.contentsOfDirectory(atPath: directory + "/d")
            #expect(
                names.contains { $0.hasPrefix("snapshot-") && $0 != "snapshot.tmp" }, "the journal was never compacted: \(names)")
            let reopened = try open(directory + "/d")
            #expect(reopened.revision == 400)
            #expect(try reopened.list(things).objects.count == 400)
            reopened.close()
        }
    }

    @Test("a directory has one server; a second one gets an error that names the first")
    func locked() async throws {
        try await withDirectory { directory in
            let store = try open(directory + "/d")
            do {
                _ = try open(directory + "/d")
                Issue.record("opened twice")
            } catch APIServerError.dataDirectoryInUse(_, let pid) {
                #expect(pid == getpid())
            }
            store.close()
            try open(directory + "/d").close()
        }
    }

    @Test("old states are rebuilt from the history as far back as it goes")
    func oldStates() async throws {
        let store = try ObjectStore(directory: nil, historyLimit: 8)
        for number in 0..<4 { try store.create(things, key("a\(number)"), value("a\(number)", number), needsNamespace: false) }
        try store.delete(things, try #require(store.get(things, key("a0"))))
        try store.update(things, try #require(store.get(things, key("a1"))), value("a1", 100))
        #expect(try store.list(things, at: 4).objects.map(\.name) == ["a0", "a1", "a2", "a3"])
        #expect(try store.list(things, at: 4).objects[1].value.at("spec", "n") == 1)
        #expect(try store.list(things, at: 2).objects.map(\.name) == ["a0", "a1"])
        #expect(throws: ObjectStore.ListFailure.self) { try store.list(things, at: 99) }
        for number in 0..<20 {
            try store.update(things, try #require(store.get(things, key("a1"))), value("a1", number))
        }
        #expect(throws: ObjectStore.ListFailure.self) { try store.list(things, at: 4) }
        #expect(store.events(things, after: 4) == nil)
    }

    @Test("of writers that read the same version, one succeeds and the others get a conflict")
    func compareAndSwap() async throws {
        let store = try ObjectStore(directory: nil, historyLimit: 8)
        let read = try store.create(things, key("a"), value("a", 0), needsNamespace: false)
        try store.update(things, read, value("a", 1))
        #expect(throws: StoreRefusal.changed) { try store.update(things, read, value("a", 2)) }
        #expect(throws: StoreRefusal.changed) { try store.delete(things, read) }
        #expect(throws: StoreRefusal.exists) { try store.create(things, key("a"), value("a", 0), needsNamespace: false) }
        #expect(throws: StoreRefusal.namespaceMissing) { try store.create(things, key("b"), value("b", 0), needsNamespace: true) }
    }

    @Test("a watcher is woken for every change, even if the previous change is written to disk in between")
    func everyChangeWakes() async throws {
        try await withDirectory { directory in
            let store = try open(directory)
            defer { store.close() }
            let others = ResourceID("others", group: "test.assay.dev")
            let wakeup = try Wakeup()
            store.subscribe(wakeup, to: things)
            // Keeps the disk busy, so that changes are flushed one at a time while the next one is made.
            let noise = Task.detached { [self] in
                for number in 0..<100_000 where !Task.isCancelled {
                    try store.create(others, key("n\(number)"), value("n\(number)", number), needsNamespace: false)
                    await Task.yield()
                }
            }
            var seen = store.revision
            for number in 0..<300 {
                let made = try store.create(things, key("a\(number)"), value("a\(number)", number), needsNamespace: false)
                while seen < made.revision {
                    seen = try #require(store.events(things, after: seen)).seen
                    if seen < made.revision { try #require(wakeup.wait(until: SystemTime().monotonic() + 10), "change \(number) was not told") }
                }
            }
            noise.cancel()
            _ = await noise.result
        }
    }
}
