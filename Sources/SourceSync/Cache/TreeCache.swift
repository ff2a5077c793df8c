import Base
import EvalModel
import Glibc
import HTTPServing

/// The cache service: serves trees of repositories to trial pods over HTTP, and takes the files of claims.
///
/// `GET /v1/tree/<reference>` with a bearer token answers with the tree's stream, from a file that is made once. Only the replica that leads
/// makes files from mirrors and asks origins; the others ask the leader, and instances on nodes ask the replicas. `GET /v1/wanted` tells instances which
/// trees will be asked for. `PUT /v1/claim/<name>?at=<offset>` adds a piece to the pack that a pod makes of a claim, on the replica that leads; the answer
/// is the pack's size.
///
/// - Guarantees: a token is good for the trees that it lists, from one address, for its time. The numbers of connections and of trees that are
///   made at the same time are bounded, and no tree is held in memory.
/// - Answers: 401 without a token; 403 for a token that is not good for the request; 404 and 422, with the trial's error as JSON, for a tree
///   that there is not; 503 for everything that may be different soon.
public final class TreeCache: Sendable {
    /// Settings that only tests change.
    struct Timing: Sendable {
        /// Seconds that a request waits for a tree that is being made. Then it is told to come back, so that its connection is free.
        var makingSeconds = 10.0
        /// Seconds for which a failure is the answer for everybody who asks for the tree.
        var failureSeconds = 2.0
    }

    public typealias Ended = @Sendable (_ namespace: String, _ pod: String, _ token: TreeToken) -> Bool

    private struct Role: Sendable {
        var origin: (any TreeOrigin)?
        var hasEnded: Ended = { _, _, _ in false }
        /// nil: not known here.
        var wanted: (@Sendable () -> [WantedTree])?
        /// nil for a replica that does not lead.
        var uploads: ClaimUploads?
    }

    private let store: TreeStore
    private let key: [UInt8]
    private let time: any TimeSource
    private let timing: Timing
    private let role = Locked(Role())
    private let bindings = Locked(TokenBindings())
    private let making: TreeMaking
    /// Whole commits may take long, and nobody waits for one: they leave the places of `making` to trees of trials.
    private let makingWhole: TreeMaking
    private let log = Log("cache")

    /// - Parameter key: signs the tokens; the same for all replicas.
    public convenience init(store: TreeStore, key: [UInt8], time: any TimeSource = SystemTime()) {
        self.init(store: store, key: key, time: time, timing: Timing())
    }

    init(store: TreeStore, key: [UInt8], time: any TimeSource, timing: Timing) {
        self.store = store
        self.key = key
        self.time = time
        self.timing = timing
        making = TreeMaking(width: 4, failureSeconds: timing.failureSeconds)
        makingWhole = TreeMaking(width: 1, failureSeconds: timing.failureSeconds)
    }

    /// A token for a trial pod.
    /// - Parameter seconds: how long it is good.
    public func token(
        for trees: [TreeReference], pod: String, credential: TreeToken.Credential, further: [TreeToken.Grant] = [], seconds: Double
    ) -> String {
        let now = time.now().seconds
        return TreeToken(
            holder: .pod(pod), credential: credential, trees: trees.map(\.id), further: further, issued: now,
            expires: now + Int64(seconds.rounded(.up))
        ).signed(with: key)
    }

    /// A token for a pod that sends the files of a claim.
    /// - Parameter seconds: how long it is good.
    public func token(forClaim name: String, pod: String, namespace: String, seconds: Double) -> String {
        let now = time.now().seconds
        return TreeToken(
            holder: .pod(pod), credential: .init(namespace: namespace, secret: nil), trees: [ClaimUploads.grant(name)], issued: now,
            expires: now + Int64(seconds.rounded(.up))
        ).signed(with: key)
    }

    /// Makes what is missing from `origin` from now on.
    /// - Parameters:
    ///   - hasEnded: whether the pod that the token was made for needs it no more.
    ///   - wanted: the trees that instances on nodes should have before somebody asks for them; nil: not known here.
    ///   - uploads: where the files of claims go; nil: they are refused.
    public func use(
        _ origin: any TreeOrigin, hasEnded: @escaping Ended = { _, _, _ in false }, wanted: (@Sendable () -> [WantedTree])? = nil,
        uploads: ClaimUploads? = nil
    ) {
        role.withLock { $0 = Role(origin: origin, hasEnded: hasEnded, wanted: wanted, uploads: uploads) }
    }

    /// Whether the tree is there. It then counts as used, so that the trees that can be made from it are removed before it.
    func keep(_ wanted: WantedTree) -> Bool { store.use(Self.name(of: wanted.tree, wanted.credential)) }

    /// Begins to get a tree, unless it is there.
    func get(_ wanted: WantedTree) {
        let name = Self.name(of: wanted.tree, wanted.credential)
        guard !store.has(name), let origin = role.withLock({ $0.origin }) else { return }
        _ = outcome(of: name, wanted.tree, wanted.credential, origin, within: 0)
    }

    /// - Returns: nil when the tree is still being made after that time.
    private func outcome(
        of name: String, _ tree: TreeReference, _ credential: TreeToken.Credential, _ origin: any TreeOrigin, within seconds: Double
    ) -> Result<Void, SourceError>? {
        (tree.isWhole ? makingWhole : making).outcome(of: name, within: seconds) { [store] () throws(SourceError) in
            try await store.put(name) { (sink) throws(SourceError) in try await origin.write(tree, for: credential, to: sink) }
        }
    }

    /// Serves only what there is.
    public func useNoOrigin() { role.withLock { $0 = Role() } }

    /// A server for this cache, which is not started yet.
    public func server() -> HTTPServer {
        HTTPServer(limits: HTTPServerLimits(connections: 256, requestSeconds: 10, idleSeconds: 15, connectionsPerClient: 128)) { [self] in answer($0)
        }
    }

    // MARK: Answers

    static let pathPrefix = ["v1", "tree"]
    static let wantedPath = ["v1", "wanted"]
    static let claimPrefix = ["v1", "claim"]

    func answer(_ request: ServerRequest) -> ServerResponse {
        if request.method == "PUT", request.segments.count == 3, Array(request.segments.prefix(2)) == Self.claimPrefix { return take(request) }
        guard request.method == "GET" else { return .text(405, "only GET\n") }
        if request.segments == Self.wantedPath { return wanted(request) }
        guard request.segments.count == 3, Array(request.segments.prefix(2)) == Self.pathPrefix else { return .text(404, "not found\n") }
        let tree: TreeReference
        do { tree = try TreeReference(word: request.segments[2]) } catch { return .text(400, "\(error.message)\n") }
        let credential: TreeToken.Credential
        switch admit(request, for: tree.id, asks: role.withLock { $0.hasEnded }) {
        case .success(let admitted): credential = admitted
        case .failure(let refusal): return .text(refusal.status, refusal.message + "\n")
        }
        let name = Self.name(of: tree, credential)
        if request.query.flag("suspect"), store.removeDamaged(name) {
            log.warning("a kept tree is damaged and is made anew", ["tree": .string(name)])
        }
        let kept = store.open(name)
        store.metrics?.lookedUp(found: kept != nil)
        if let kept { return Self.stream(kept) }
        guard let origin = role.withLock({ $0.origin }) else { return Self.later("this replica has no leader to ask for the tree") }
        switch outcome(of: name, tree, credential, origin, within: timing.makingSeconds) {
        case nil: return Self.later("the tree is being made")
        case .failure(let error):
            log.warning("a tree cannot be had", ["repository": .string(tree.repository), "error": .string(error.message)])
            return Self.failure(error)
        case .success: return store.open(name).map(Self.stream) ?? Self.later("the tree was removed to make room for others")
        }
    }

    private struct Refusal: Error {
        var status = 403
        var message: String
    }

    /// For other instances of the service.
    private func wanted(_ request: ServerRequest) -> ServerResponse {
        switch token(of: request) {
        case .failure(let refusal): return .text(refusal.status, refusal.message + "\n")
        case .success((let token, _)): guard token.holder == .replica else { return .text(403, "the token is for other requests\n") }
        }
        guard let wanted = role.withLock({ $0.wanted }) else { return Self.later("this replica does not lead") }
        return ServerResponse(status: 200, contentType: "application/json", parts: [JSONValue.array(wanted().map(\.json)).serialized()])
    }

    /// A piece of a claim's pack.
    private func take(_ request: ServerRequest) -> ServerResponse {
        let name = request.segments[2]
        guard ClaimUploads.isName(name), let offset = request.query["at"].flatMap({ Int($0) }), offset >= 0 else {
            return .text(400, "not /v1/claim/NAME?at=OFFSET\n")
        }
        // Whether the pod still runs is not asked: the name of its pack is its own.
        if case .failure(let refusal) = admit(request, for: ClaimUploads.grant(name), asks: { _, _, _ in false }) {
            return .text(refusal.status, refusal.message + "\n")
        }
        guard let uploads = role.withLock({ $0.uploads }) else { return Self.later("this replica does not lead") }
        do {
            switch try uploads.add(request.body, to: name, at: offset) {
            case .kept(let size): return .text(200, "\(size)\n")
            case .elsewhere(let size): return .text(409, "\(size)\n")
            case .tooLarge: return .text(413, "the claim has more than the operator takes\n")
            }
        } catch {
            return Self.later("the piece cannot be kept: \(error)")
        }
    }

    /// - Returns: a token of this service whose time is not over, and its text.
    private func token(of request: ServerRequest) -> Result<(TreeToken, String), Refusal> {
        let words = (request.header("authorization") ?? "").split(separator: " ")
        guard words.count == 2, words[0].lowercased() == "bearer" else {
            return .failure(Refusal(status: 401, message: "a bearer token is needed"))
        }
        guard let token = TreeToken(String(words[1]), key: key) else { return .failure(Refusal(message: "the token is not of this service")) }
        guard time.now().seconds < token.expires else { return .failure(Refusal(message: "the token's time is over")) }
        return .success((token, String(words[1])))
    }

    /// - Parameters:
    ///   - grant: what the token must be for.
    ///   - hasEnded: whether the token's pod needs it no more.
    /// - Returns: what the tree is fetched with.
    private func admit(_ request: ServerRequest, for grant: String, asks hasEnded: Ended) -> Result<TreeToken.Credential, Refusal> {
        let (token, text): (TreeToken, String)
        switch self.token(of: request) {
        case .success(let found): (token, text) = found
        case .failure(let refusal): return .failure(refusal)
        }
        guard let credential = token.credential(for: grant) else { return .failure(Refusal(message: "the token is for other trees")) }
        guard case .pod(let pod) = token.holder else { return .success(credential) }
        guard !hasEnded(token.credential.namespace, pod, token) else {
            return .failure(Refusal(message: "the token's pod has its task already, or has ended"))
        }
        let isBound = bindings.withLock { $0.admit(text, expires: token.expires, client: request.client, now: time.now().seconds) }
        guard isBound else { return .failure(Refusal(message: "the token is in use from another address")) }
        return .success(credential)
    }

    /// The same tree is kept apart for each Secret that it was fetched with.
    static func name(of tree: TreeReference, _ credential: TreeToken.Credential) -> String {
        credential.scope.isEmpty ? tree.id : String(SHA256.hex(of: Array("\(tree.id)\n\(credential.scope)".utf8)).prefix(32))
    }

    private static func stream(_ file: ServedFile) -> ServerResponse {
        ServerResponse(status: 200, contentType: "application/vnd.assay.tree", file: file)
    }

    private static func later(_ message: String) -> ServerResponse { failure(SourceError(.sourceSyncFailed, message, isTransient: true)) }

    private static func failure(_ error: SourceError) -> ServerResponse {
        let body: JSONValue = ["error": ["type": .string(error.type.rawValue), "message": .string(error.message)]]
        let status = error.isTransient ? 503 : error.type == .taskNotFound ? 404 : 422
        var response = ServerResponse(status: status, contentType: "application/json", parts: [body.serialized()])
        if status == 503 { response.headers.append(("Retry-After", "1")) }
        return response
    }
}
