import Base
import Git

/// A tree that instances of the cache service on nodes should have before somebody asks for it.
public struct WantedTree: Sendable, Hashable {
    public var tree: TreeReference
    /// What it is fetched with.
    public var credential: TreeToken.Credential

    public init(tree: TreeReference, credential: TreeToken.Credential) {
        self.tree = tree
        self.credential = credential
    }

    var json: JSONValue { [.string(tree.word), .string(credential.namespace), credential.secret.map { .string($0) } ?? .null] }

    /// - Throws: `.invalidInput` for anything else than `json`.
    init(json: JSONValue) throws(GitError) {
        guard let parts = json.array, parts.count == 3, let word = parts[0].string, let namespace = parts[1].string else {
            throw GitError(.invalidInput, "the answer is no list of wanted trees")
        }
        self.init(tree: try TreeReference(word: word), credential: .init(namespace: namespace, secret: parts[2].string))
    }
}

/// Gets the trees that will be asked for, as the leading replica names them: the overlays at their present revisions, and whole repositories.
public struct TreeWarming: Sendable {
    /// When a tree that is not there is asked for again. One that is too large for the store, or has no room beside the others, would otherwise be
    /// read again and again.
    private struct Attempts {
        var backoff: Backoff
        var next = -Double.infinity
    }

    private let cache: TreeCache
    private let upstream: CacheAddress
    private let key: [UInt8]
    private let time: any TimeSource
    private let intervalSeconds: Double

    /// - Parameters:
    ///   - cache: gets the trees.
    ///   - upstream: the replicas, of which one leads.
    ///   - key: the one that all instances sign tokens with.
    public init(_ cache: TreeCache, upstream: CacheAddress, key: [UInt8], intervalSeconds: Double = 30, time: any TimeSource = SystemTime()) {
        self.cache = cache
        self.upstream = upstream
        self.key = key
        self.intervalSeconds = intervalSeconds
        self.time = time
    }

    /// Asks again and again, until the task is cancelled.
    public func run() async {
        var attempts: [WantedTree: Attempts] = [:]
        while !Task.isCancelled {
            let wanted = await wanted()
            if let wanted { get(wanted, &attempts) }
            // A request may have come to a replica that does not lead.
            do { try await time.sleep(seconds: wanted == nil ? min(5, intervalSeconds) : intervalSeconds) } catch { return }
        }
    }

    private func get(_ wanted: [WantedTree], _ attempts: inout [WantedTree: Attempts]) {
        let now = time.monotonic()
        let all = Set(wanted)
        attempts = attempts.filter { all.contains($0.key) }
        for tree in wanted where !cache.keep(tree) {
            var attempt = attempts[tree] ?? Attempts(backoff: Backoff(BackoffPolicy(initialSeconds: intervalSeconds, capSeconds: 600)))
            guard now >= attempt.next else { continue }
            cache.get(tree)
            attempt.next = now + attempt.backoff.next(now: now)
            attempts[tree] = attempt
        }
    }

    /// - Returns: nil when the list cannot be read.
    private func wanted() async -> [WantedTree]? {
        let now = time.now().seconds
        let token = TreeToken(holder: .replica, credential: .init(namespace: "", secret: nil), trees: [], issued: now, expires: now + 120)
        do { return try await TreeClient(address: upstream, token: token.signed(with: key)).wanted(within: 30) } catch {
            Log("cache").debug("the list of wanted trees cannot be read", ["error": .string("\(error)")])
            return nil
        }
    }
}
