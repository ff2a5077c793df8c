import Base
import EvalModel
import HTTPTransport

/// Where a cache service is reached.
public enum CacheAddress: Sendable, Hashable, CustomStringConvertible {
    /// `http://host:port`.
    case http(String)
    /// The path of a Unix socket.
    case socket(String)

    /// - Parameter text: `http://host:port` or `unix:/path`.
    public init?(_ text: String) {
        if text.hasPrefix("unix:/") {
            self = .socket(String(text.dropFirst("unix:".count)))
        } else if text.hasPrefix("http://"), text.utf8.count > "http://".utf8.count {
            self = .http(text.hasSuffix("/") ? String(text.dropLast()) : text)
        } else {
            return nil
        }
    }

    /// `host:port`; nil for a socket.
    public var hostAndPort: String? {
        guard case .http(let url) = self else { return nil }
        return String(url.dropFirst("http://".count))
    }

    public var description: String {
        switch self {
        case .http(let url): url
        case .socket(let path): "unix:\(path)"
        }
    }
}

/// Why a tree could not be read from the cache service.
public enum TreeClientError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The service answers that it cannot serve the tree now. Trying again may help.
    case unavailable(TrialError)
    /// The service does not answer, or not as one. Trying again may help.
    case unreachable(TrialError)
    /// What arrived is not the tree. The next attempt should say so (`suspect`).
    case corrupt(String)
    /// The service refuses the token.
    case refused(String)
    /// There is no such tree.
    case failed(TrialError)
    case cancelled

    public var description: String {
        switch self {
        case .unavailable(let error), .unreachable(let error), .failed(let error): error.message
        case .corrupt(let what): what
        case .refused(let what): "the cache service refuses the token: \(what)"
        case .cancelled: "cancelled"
        }
    }
}

/// Reads trees from a cache service.
public struct TreeClient: Sendable {
    public let address: CacheAddress
    private let token: String
    private let connectSeconds: Double
    private let transport: HTTPTransport

    /// - Parameter connectSeconds: for the connection.
    public init(address: CacheAddress, token: String, connectSeconds: Double = 5, transport: HTTPTransport = .shared) {
        self.address = address
        self.token = token
        self.connectSeconds = connectSeconds
        self.transport = transport
    }

    /// Reads a tree once, without trying again.
    ///
    /// - Parameters:
    ///   - suspect: asks the service to check its own file first, because an earlier answer was corrupt.
    ///   - seconds: for the whole answer.
    ///   - received: gets the stream as it arrives, and what it says. What it throws is rethrown as it is.
    /// - Returns: after the whole stream has arrived with the right digest.
    /// - Throws: `TreeClientError`.
    @discardableResult
    public func read(
        _ tree: TreeReference, suspect: Bool = false, within seconds: Double,
        received: (_ bytes: [UInt8], _ events: [TreeStreamDecoder.Event]) throws -> Void
    ) async throws -> TreeStreamDecoder.Summary {
        do {
            let response = try await transport.send(request(tree, suspect, seconds))
            guard response.status == 200 else { throw try await Self.failure(response, from: address) }
            var decoder = TreeStreamDecoder()
            for try await chunk in response.body {
                var events: [TreeStreamDecoder.Event] = []
                try decoder.feed(chunk) { events.append($0) }
                try received(chunk, events)
            }
            return try decoder.finish()
        } catch let error as TreeStreamError {
            throw TreeClientError.corrupt("\(error)")
        } catch HTTPTransportError.cancelled {
            throw TreeClientError.cancelled
        } catch let error as HTTPTransportError {
            throw TreeClientError.unreachable(TrialError(.environmentStartFailed, "the cache service at \(address): \(error)"))
        }
    }

    /// The trees that the other instance wants this one to have, once.
    ///
    /// - Throws: `TreeClientError`.
    func wanted(within seconds: Double) async throws -> [WantedTree] {
        do {
            let response = try await transport.send(request(TreeCache.wantedPath.joined(separator: "/"), seconds))
            guard response.status == 200 else { throw try await Self.failure(response, from: address) }
            let list = try JSONValue(parsing: try await response.body.collect(upTo: 16 << 20)).array ?? []
            return try list.map { try WantedTree(json: $0) }
        } catch HTTPTransportError.cancelled {
            throw TreeClientError.cancelled
        } catch let error as HTTPTransportError {
            throw TreeClientError.unreachable(TrialError(.environmentStartFailed, "the cache service at \(address): \(error)"))
        }
    }

    private func request(_ tree: TreeReference, _ suspect: Bool, _ seconds: Double) -> HTTPRequest {
        request("\(TreeCache.pathPrefix.joined(separator: "/"))/\(tree.word)\(suspect ? "?suspect=1" : "")", seconds)
    }

    private func request(_ path: String, _ seconds: Double) -> HTTPRequest {
        var (base, socket): (String, String?) = ("http://cache", nil)
        switch address {
        case .http(let url): base = url
        case .socket(let path): socket = path
        }
        return HTTPRequest(
            url: "\(base)/\(path)", headers: ["Authorization": "Bearer \(token)"],
            timeouts: HTTPTimeouts(connect: connectSeconds, total: max(1, seconds), idle: 60), proxy: .none,
            unixSocket: socket)
    }

    private static func failure(_ response: HTTPResponse, from address: CacheAddress) async throws(HTTPTransportError) -> TreeClientError {
        let body = try await response.body.collect(upTo: 64 << 10)
        let text = String(decoding: body, as: UTF8.self).replacingControls
        if response.status == 401 || response.status == 403 { return .refused(String(text.prefix(500))) }
        let said = (try? JSONValue(parsing: body))?["error"]
        let error = said?["type"]?.string.flatMap(TrialErrorType.init(rawValue:)).map { TrialError($0, said?["message"]?.string ?? "") }
        switch (response.status, error) {
        case (404, let error?), (422, let error?): return .failed(error)
        case (503, let error?): return .unavailable(error)
        default:
            return .unreachable(
                TrialError(.environmentStartFailed, "the cache service at \(address) answers \(response.status): \(text.prefix(500))"))
        }
    }
}
