import Base
import HTTPServing
import KubeSchema

/// A request for a resource, with its path parsed.
struct ResourceRequest: Sendable {
    var http: ServerRequest
    var kind: ServedKind
    /// Empty for objects without namespace, and for lists across all namespaces.
    var namespace: String
    var name: String?
    var subresource: String?
    var format: OutputFormat
    var user: RequestUser

    var key: StoreKey { StoreKey(namespace: namespace, name: name ?? "") }
}

/// The options of a write.
struct WriteOptions: Sendable {
    enum Validation: Sendable { case ignore, warn, strict }

    var isDryRun = false
    var manager: String
    var validation = Validation.warn
    var isForced = false

    /// - Parameter options: the kind that error messages name for a bad option: `CreateOptions`, `PatchOptions`.
    init(_ request: ServerRequest, options: String) throws(APIFailure) {
        let query = request.query
        let named = query["fieldManager"] ?? ""
        try Self.check(named, options: options)
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
                    .notSupported("fieldValidation", .string(other), supported: ["", "Ignore", "Strict", "Warn"])
                ])
        }
        isForced = query.flag("force")
        manager = named
        if manager.isEmpty {
            // As in a real server, the default manager is the product name in the user agent.
            manager = String((request.header("user-agent") ?? "").prefix { $0 != "/" }.prefix(Self.managerLimit))
            if manager.isEmpty { manager = "unknown" }
        }
    }

    /// The largest length of a field manager's name in bytes (apimachinery `FieldManagerMaxLength`).
    private static let managerLimit = 128

    private static func check(_ manager: String, options: String) throws(APIFailure) {
        var faults: [FieldError] = []
        if manager.utf8.count > managerLimit { faults.append(.tooLong("fieldManager", limit: managerLimit)) }
        var position = 0
        for scalar in manager.unicodeScalars {
            if scalar.properties.generalCategory == .control || (scalar.properties.isWhitespace && scalar != " ") {
                let code = String(scalar.value, radix: 16, uppercase: true)
                let name = "U+" + String(repeating: "0", count: max(0, 4 - code.count)) + code
                faults.append(.invalid("fieldManager", .string(manager), "invalid character \(name) (at position \(position))"))
            }
            position += String(scalar).utf8.count
        }
        if !faults.isEmpty { throw .invalid("meta.k8s.io", options, "", faults) }
    }
}

extension HTTPQuery {
    /// A parameter that is an integer; nil when it is absent or empty.
    func integer(_ name: String) throws(APIFailure) -> Int? {
        guard let text = self[name], !text.isEmpty else { return nil }
        guard let number = Int(text) else {
            throw .badRequest("strconv.ParseInt: parsing \(JSONValue.string(text).text): invalid syntax")
        }
        return number
    }
}
