import KubeCore

@testable import KubeRuntime

/// Drives a watcher of strings by hand, and keeps the store that results from its effects.
struct WatcherScript {
    var watcher: Watcher<String>
    let writer = StoreWriter<String>()
    var now = 1000.0
    var troubles: [WatcherFailure] = []
    var notices: [String] = []
    var replacements = 0

    init(_ options: WatcherOptions = WatcherOptions(), seed: UInt64 = 7) {
        watcher = Watcher(options: options, seed: seed)
    }

    /// Lists instead of streaming the initial state.
    static func listing(seed: UInt64 = 7) -> WatcherScript {
        var options = WatcherOptions()
        options.usesWatchList = false
        return WatcherScript(options, seed: seed)
    }

    /// A watcher that has synced at version 10 with `a` and `b`, with an open watch.
    static func live(seed: UInt64 = 7) -> WatcherScript {
        var script = listing(seed: seed)
        script.start()
        script.page([item("a", 4), item("b", 9)], version: "10")
        return script
    }

    var names: [String] { writer.store.entries().map(\.key.name) }
    var version: String? { writer.store.version }

    static func item(_ name: String, _ version: Int, uid: String? = nil) -> WatchedItem<String> {
        item(name, String(version), uid: uid)
    }

    static func item(_ name: String, _ version: String, uid: String? = nil) -> WatchedItem<String> {
        WatchedItem(
            key: ObjectKey(namespace: "n", name: name), uid: uid ?? "uid-\(name)", version: version,
            object: "\(name)@\(version)")
    }

    @discardableResult
    mutating func start() -> WatcherCall? { take(watcher.start(now: now)) }

    @discardableResult
    mutating func page(_ items: [WatchedItem<String>], version: String, token: String? = nil) -> WatcherCall? {
        take(watcher.listed(items, version: version, continueToken: token, now: now))
    }

    @discardableResult
    mutating func fail(_ failure: WatcherFailure) -> WatcherCall? { take(watcher.failed(failure, now: now)) }

    @discardableResult
    mutating func line(_ line: WatchLine<String>) -> WatcherCall? { take(watcher.received(line, now: now)) }

    @discardableResult
    mutating func end() -> WatcherCall? { take(watcher.ended(now: now)) }

    @discardableResult
    mutating func silent() -> WatcherCall? { take(watcher.silent(now: now)) }

    /// Waits as long as a call says and continues; returns other calls unchanged.
    @discardableResult
    mutating func pass(_ call: WatcherCall?) -> WatcherCall? {
        guard case .wait(let seconds) = call else { return call }
        now += seconds
        return take(watcher.waited(now: now))
    }

    private mutating func take(_ step: WatcherStep<String>) -> WatcherCall? {
        for effect in step.effects {
            switch effect {
            case .replace(let items, let version):
                writer.replace(with: items, version: version)
                replacements += 1
            case .upsert(let item, let version): writer.upsert(item, version: version)
            case .delete(let key, _, let version): writer.delete(key, version: version)
            case .advance(let version): writer.advance(to: version)
            case .trouble(let failure): troubles.append(failure)
            case .notice(let text): notices.append(text)
            }
        }
        return step.call
    }
}

extension WatcherCall {
    var isList: Bool { if case .list = self { true } else { false } }
    var isWait: Bool { if case .wait = self { true } else { false } }

    /// The version from which a watch continues.
    var resumedVersion: String? { if case .watch(let version, false, _) = self { version } else { nil } }
    var isInitialStream: Bool { if case .watch(nil, true, _) = self { true } else { false } }
}
