import Base
import HTTPServing

extension APICore {
    /// The answer with one stored object. It is sent when the object is on disk.
    func answer(
        _ request: ResourceRequest, _ object: StoredObject, status: Int = 200, warnings: [String] = []
    ) throws(APIFailure) -> ServerResponse {
        try store.settle(object.revision)
        switch request.format.shape {
        case .object:
            let bytes = request.kind.bytes(object) + [10]
            return finish(request, status, [request.format.encode(bytes)], warnings)
        case .metadata: return finish(request, status, [request.format.encode(Self.partial(object) + [10])], warnings)
        case .table:
            return answer(request, value: request.kind.full(object), status: status, warnings: warnings)
        }
    }

    /// The answer with an object that is not in the store: the result of a dry run, or the last state of a deleted object.
    func answer(_ request: ResourceRequest, value: JSONValue, status: Int = 200, warnings: [String] = []) -> ServerResponse {
        let shown: JSONValue
        switch request.format.shape {
        case .object: shown = value
        case .metadata: shown = Self.partial(value)
        case .table: shown = table(request, [value], metadata: ["resourceVersion": value.at("metadata", "resourceVersion") ?? ""])
        }
        return finish(request, status, [request.format.encode(shown)], warnings)
    }

    func finish(_ request: ResourceRequest, _ status: Int, _ parts: [[UInt8]], _ warnings: [String]) -> ServerResponse {
        var response = ServerResponse(status: status, contentType: request.format.contentType, parts: parts)
        var warnings = warnings
        if let warning = request.kind.custom?.warning { warnings.append(warning) }
        response.addWarnings(warnings)
        return response
    }
    /// The JSON of an object's metadata without the rest.
    static func partial(_ object: StoredObject) -> [UInt8] {
        Array(#"{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":"#.utf8) + object.metadata + Array("}".utf8)
    }

    /// The metadata of an object without the rest.
    static func partial(_ value: JSONValue) -> JSONValue {
        ["kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": value["metadata"] ?? [:]]
    }

    /// Objects as a table.
    func table(_ request: ResourceRequest, _ objects: [JSONValue], metadata: JSONValue, withHead: Bool = true) -> JSONValue {
        let printer = TablePrinter.of(request.kind)
        let include = request.http.query["includeObject"] ?? "Metadata"
        let moment = now
        let rows = objects.map { object -> JSONValue in
            var row: JSONValue = ["cells": .array(printer.cells(object, moment))]
            switch include {
            case "None": row["object"] = .null
            case "Object": row["object"] = object
            default: row["object"] = Self.partial(object)
            }
            return row
        }
        return [
            "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
            "columnDefinitions": withHead ? .array(printer.columns.map(\.value)) : .null, "rows": .array(rows),
        ]
    }
}

extension ServerResponse {
    /// Adds warnings that the client should show to its user (RFC 7234, section 5.5; apimachinery `NewWarningHeader`).
    mutating func addWarnings(_ warnings: [String]) {
        for warning in warnings { headers.append(("Warning", "299 - \(Self.quoted(warning))")) }
    }

    private static func quoted(_ text: String) -> String {
        var out = "\""
        for character in text.prefix(4096) {
            if character == "\"" || character == "\\" { out.append("\\") }
            out.append(character.isNewline ? " " : character)
        }
        return out + "\""
    }
}
