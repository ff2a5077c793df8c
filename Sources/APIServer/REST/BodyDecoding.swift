import Base
import YAML

/// An object that was read from a request body.
struct DecodedBody {
    var value: JSONValue
    /// `unknown field "spec.colour"`, `duplicate field "spec.color"`.
    var warnings: [String]
}

extension ResourceRequest {
    /// How deeply an object may nest. Without this limit a patch could make an object that the JSON reader cannot read back.
    private static let maximumDepth = 400

    /// Reads the body as an object of the request's kind: parsed, of the right kind and version, without unknown fields.
    /// - Throws: 415 for an unsupported media type; 400 for a body that cannot be read or, with strict validation, has unknown or duplicate
    ///   fields.
    func decodeBody(_ options: WriteOptions) throws(APIFailure) -> DecodedBody {
        var (value, warnings) = try parseBody()
        try checkKind(&value)
        warnings += try normalise(&value)
        try enforce(warnings, options)
        return DecodedBody(value: value, warnings: options.validation == .ignore ? [] : warnings)
    }

    func enforce(_ warnings: [String], _ options: WriteOptions) throws(APIFailure) {
        if options.validation == .strict, !warnings.isEmpty {
            throw kind.undecodable("strict decoding error: \(warnings.joined(separator: ", "))")
        }
    }

    private func parseBody() throws(APIFailure) -> (JSONValue, [String]) {
        let type = (http.header("content-type") ?? "application/json").prefix { $0 != ";" }.trimming { $0 == " " }.lowercased()
        switch type {
        case "application/json", "":
            do {
                let (value, duplicates) = try JSONValue.parseReportingDuplicates(http.body)
                return (value, duplicates.map { "duplicate field \"\($0)\"" })
            } catch {
                throw unrecognized("couldn't get version/kind; json parse error: \(goWords(error, body: http.body))")
            }
        case "application/yaml":
            do {
                return (try YAML.parseSingle(http.body), [])
            } catch {
                throw unrecognized("error converting YAML to JSON: \(error)")
            }
        case "application/vnd.kubernetes.protobuf":
            guard let value = ProtobufObject.decode(http.body) else { throw .unsupportedProtobuf }
            return (value, [])
        default:
            throw .unsupportedMediaType(OutputFormat.accepted)
        }
    }

    /// The failure for a body that is not an object of this kind; it quotes the beginning of the body (apimachinery `transformDecodeError`).
    private func unrecognized(_ why: String) -> APIFailure {
        let shown: String
        if http.body.isEmpty {
            shown = "<empty>"
        } else if http.body.first == UInt8(ascii: "{") {
            shown = String(decoding: http.body.prefix(30), as: UTF8.self) + (http.body.count > 30 ? " ..." : "")
        } else {
            shown = hex(http.body.prefix(30)) + (http.body.count > 30 ? " ..." : "")
        }
        return .badRequest("the object provided is unrecognized (must be of type \(kind.kind)): \(why) (\(shown))")
    }

    /// The message for a syntax error, in Go's words where Go has a fixed message for it.
    private func goWords(_ error: JSONSyntaxError, body: [UInt8]) -> String {
        error.offset >= body.count ? "unexpected end of JSON input" : error.message
    }

    private func checkKind(_ value: inout JSONValue) throws(APIFailure) {
        guard value.object != nil else {
            if value.isNull { throw unrecognized("Object 'Kind' is missing in 'null'") }
            throw unrecognized(
                "couldn't get version/kind; json parse error: json: cannot unmarshal \(value.goKind) into Go value of type struct "
                    + "{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }")
        }
        let apiVersion = value["apiVersion"]?.string ?? ""
        let named = value["kind"]?.string ?? ""
        if kind.isCustom {
            if named.isEmpty { throw unrecognized("Object 'Kind' is missing in '\(String(decoding: http.body.prefix(200), as: UTF8.self))'") }
            guard apiVersion == kind.apiVersion else {
                throw .badRequest(
                    "the API version in the data (\(apiVersion)) does not match the expected API version (\(kind.apiVersion))")
            }
            guard named == kind.kind else {
                let name = value.at("metadata", "name")?.string ?? ""
                throw .invalid(kind.group, named, name, [.invalid("kind", .string(named), "must be \(kind.kind)")])
            }
            return
        }
        let expected = subresource.flatMap { kind.subresource($0)?.kind } ?? kind.kind
        guard named.isEmpty || named == expected, apiVersion.isEmpty || apiVersion == kind.apiVersion || expected != kind.kind
        else {
            throw .badRequest(
                "\(named) in version \"\(kind.version)\" cannot be handled as a \(expected): "
                    + "no kind \"\(named)\" is registered for version \"\(apiVersion)\"")
        }
        value["apiVersion"] = .string(kind.apiVersion)
        value["kind"] = .string(kind.kind)
    }

    /// Converts an object to the form in which it is stored; returns the fields that do not belong.
    func normalise(_ value: inout JSONValue) throws(APIFailure) -> [String] {
        // `managedFields` nests a little deeper than the object, and must be readable too.
        guard value.isNested(atMost: Self.maximumDepth) else {
            throw kind.undecodable("nested more than \(Self.maximumDepth) levels deep")
        }
        var decoding = GoDecoding()
        var unknown: [String] = []
        do throws(GoDecoding.Mismatch) {
            if let custom = kind.custom {
                if let metadata = value["metadata"], !metadata.isNull {
                    guard metadata.object != nil else {
                        throw GoDecoding.Mismatch(
                            message: "json: cannot unmarshal \(metadata.goKind) into Go value of type v1.ObjectMeta")
                    }
                    value["metadata"] = try decoding.decode(metadata, as: .named("ObjectMeta"), path: "metadata")
                } else {
                    value["metadata"] = [:]
                }
                unknown = custom.schema.prune(&value)
            } else {
                value = try decoding.decode(value, as: .named(kind.kind))
                if value["metadata"] == nil { value["metadata"] = [:] }
            }
        } catch {
            throw kind.undecodable(error.message)
        }
        MetadataRules.dropEmpty(&value)
        return (decoding.unknown + unknown).map { "unknown field \"\($0)\"" }
    }
}

extension JSONValue {
    /// Whether no part lies inside more than `limit` objects and arrays.
    fileprivate func isNested(atMost limit: Int) -> Bool {
        switch self {
        case .object(let members): limit > 0 && members.values.allSatisfy { $0.isNested(atMost: limit - 1) }
        case .array(let items): limit > 0 && items.allSatisfy { $0.isNested(atMost: limit - 1) }
        default: true
        }
    }
}
