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

/// Gets the trees that will be asked for, as the leading replica names them: the overlays at their present revisions.
public struct TreeWarming: Sendable {
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
        while !Task.isCancelled {
            // A request may have come to a replica that does not lead.
            let seconds = await look() ? intervalSeconds : min(5, intervalSeconds)
            do { try await time.sleep(seconds: seconds) } catch { return }
        }
    }

    /// - Returns: whether the list could be read.
    private func look() async -> Bool {
        let now = time.now().seconds
        let token = TreeToken(holder: .replica, credential: .init(namespace: "", secret: nil), trees: [], issued: now, expires: now + 120)
        do {
            for wanted in try await TreeClient(address: upstream, token: token.signed(with: key)).wanted(within: 30) { cache.get(wanted) }
            return true
        } catch {
            Log("cache").debug("the list of wanted trees cannot be read", ["error": .string("\(error)")])
            return false
        }
    }
}
