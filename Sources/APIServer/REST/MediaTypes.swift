import Base
import YAML

/// The form in which a client wants its answer.
struct OutputFormat: Sendable, Equatable {
    enum Encoding: Sendable { case json, yaml }
    enum Shape: Sendable, Equatable {
        case object
        /// Rows of cells, for printing.
        case table
        /// Metadata only; `isList` when the list form was asked for.
        case metadata
    }

    var encoding = Encoding.json
    var shape = Shape.object
    /// The version of aggregated discovery that was requested (`v2`); nil when it was not requested.
    var discovery: String?

    static let accepted = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"]

    /// The first supported entry of `Accept`; nil when there is none, and then the answer is 406.
    static func negotiate(_ accept: String?) -> OutputFormat? {
        guard let accept, !accept.isEmpty else { return OutputFormat() }
        for range in accept.split(separator: ",") {
            let parts = range.split(separator: ";").map { $0.trimming { $0 == " " } }
            guard let type = parts.first else { continue }
            var format = OutputFormat()
            switch type {
            case "application/json", "*/*", "application/*": break
            case "application/yaml": format.encoding = .yaml
            default: continue
            }
            var parameters: [Substring: Substring] = [:]
            for part in parts.dropFirst() {
                let pair = part.split(separator: "=", maxSplits: 1)
                if pair.count == 2 { parameters[pair[0]] = pair[1] }
            }
            switch (parameters["as"], parameters["g"], parameters["v"]) {
            case (nil, _, _): return format
            case ("Table", "meta.k8s.io", "v1"):
                format.shape = .table
                return format
            case ("PartialObjectMetadata", "meta.k8s.io", "v1"), ("PartialObjectMetadataList", "meta.k8s.io", "v1"):
                format.shape = .metadata
                return format
            case ("APIGroupDiscoveryList", "apidiscovery.k8s.io", let version?):
                guard version == "v2" else { continue }
                format.discovery = String(version)
                return format
            default: continue
            }
        }
        return nil
    }

    var contentType: String { encoding == .json ? "application/json" : "application/yaml" }

    /// Converts JSON bytes to this encoding.
    func encode(_ json: [UInt8]) -> [UInt8] {
        switch encoding {
        case .json: json
        case .yaml: Array(YAML.emit((try? JSONValue(parsing: json)) ?? .null).utf8)
        }
    }

    func encode(_ value: JSONValue) -> [UInt8] {
        switch encoding {
        case .json: value.serialized() + [10]
        case .yaml: Array(YAML.emit(value).utf8)
        }
    }
}
