import APIServer
import AssayAPI
import Base
import HTTPTransport
import Testing
import YAML

/// The embedded API server with Assay's custom resources, which is asked over HTTP whether it takes an object.
struct ExampleServer: Sendable {
    private static let administrator = "the administrator of examples"
    private let url: String

    static func with(_ body: (ExampleServer) async throws -> Void) async throws {
        let server = APIServer(configuration: .init(token: administrator))
        let result = ExampleServer(url: "http://127.0.0.1:\(try await server.start())")
        do {
            for text in CustomResourceDefinitions.documents {
                let made = try await result.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", try YAML.parseSingle(text))
                try #require(made.status == 201, "\(made.message)")
            }
            try await body(result)
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    enum Refusal: Hashable {
        case notServed
        case refused(String)
    }

    /// Why the server would not take an object as it is written: an unknown field is a reason, too. Nil when it would. Nothing is stored: two pages may use
    /// one name.
    func refusal(of object: JSONValue) async throws -> Refusal? {
        guard let path = try await path(of: object) else { return .notServed }
        let answer = try await send("POST", "\(path)?dryRun=All&fieldValidation=Strict", object)
        return answer.status == 201 ? nil : .refused(answer.message)
    }

    /// Creates an object.
    ///
    /// - Parameter token: whose right is asked for; nil for the administrator's.
    /// - Returns: the status of the answer.
    func create(_ object: JSONValue, as token: String? = nil) async throws -> Int {
        try await send("POST", try #require(try await path(of: object)), object, token: token).status
    }

    /// A token of a service account.
    func token(of account: String, in namespace: String) async throws -> String {
        let request: JSONValue = ["apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": ["expirationSeconds": 3600]]
        let answer = try await send("POST", "/api/v1/namespaces/\(namespace)/serviceaccounts/\(account)/token", request)
        return try #require(answer.json.at("status", "token")?.string, "\(answer.message)")
    }

    /// Where objects of the kind are created, in a namespace that exists then; nil when the server does not serve the kind.
    private func path(of object: JSONValue) async throws -> String? {
        let version = object["apiVersion"]?.string ?? ""
        let group = version.contains("/") ? "/apis/\(version)" : "/api/\(version)"
        let served = try await send("GET", group).json["resources"]?.array ?? []
        guard let resource = served.first(where: { $0["kind"] == object["kind"] && $0["name"]?.string?.contains("/") == false }) else { return nil }
        var path = group
        if resource["namespaced"] == true {
            let namespace = object.at("metadata", "namespace")?.string ?? "default"
            _ = try await send("POST", "/api/v1/namespaces", ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(namespace)]])
            path += "/namespaces/\(namespace)"
        }
        return "\(path)/\(resource["name"]?.string ?? "")"
    }

    private func send(
        _ method: String, _ path: String, _ body: JSONValue? = nil, token: String? = nil
    ) async throws -> (status: Int, json: JSONValue, message: String) {
        var headers: HTTPHeaders = ["Accept": "application/json", "Authorization": "Bearer \(token ?? Self.administrator)"]
        if body != nil { headers.add("Content-Type", "application/json") }
        let response = try await HTTPTransport.shared.send(
            HTTPRequest(
                method: method, url: url + path, headers: headers, body: body?.serialized(), timeouts: HTTPTimeouts(total: 60), proxy: .none))
        let json = (try? JSONValue(parsing: try await response.body.collect(upTo: 64 << 20))) ?? .null
        return (response.status, json, json["message"]?.string ?? "")
    }
}
