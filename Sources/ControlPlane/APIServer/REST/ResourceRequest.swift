import Base
import HTTPServing

/// A request about a resource, with its path taken apart.
struct ResourceRequest: Sendable {
    var http: ServerRequest
    var kind: ServedKind
    /// Empty for objects without namespace, and for lists across all.
    var namespace: String
    var name: String?
    var subresource: String?
    var format: OutputFormat

    var key: StoreKey { StoreKey(namespace: namespace, name: name ?? "") }
}

/// How a write was asked for.
struct WriteOptions: Sendable {
    enum Validation: Sendable { case ignore, warn, strict }

    var isDryRun = false
    var manager: String
    var validation = Validation.warn
    var isForced = false

    /// - Parameter options: the kind to blame for a bad option: `CreateOptions`, `PatchOptions`.
    init(_ request: ServerRequest, options: String) throws(APIFailure) {
        let query = request.query
        for value in query.all("dryRun") {
            guard value == "All" else {
                throw .invalid(
                    "meta.k8s.io", options, "", [.notSupported("dryRun", .array([.string(value)]), supported: ["All"])])
            }
            isDryRun = true
        }
        switch query["fieldValidation"] {
        case nil, "", "Warn": validation = .warn
        case "Ignore": validation = .ignore
        case "Strict": validation = .strict
        case let other?:
            throw .invalid(
                "meta.k8s.io", options, "",
                [
                    .notSupported("fieldValidation", .string(other), supported: ["Ignore", "Strict", "Warn"])
                ])
        }
        isForced = query.flag("force")
        manager = query["fieldManager"] ?? ""
        if manager.isEmpty {
            // The product of the user agent, as a real server does it.
            manager = String((request.header("user-agent") ?? "").prefix { $0 != "/" })
            if manager.isEmpty { manager = "unknown" }
        }
        manager = String(manager.prefix(128))
    }
}
