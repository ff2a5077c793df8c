import AssayTesting
import Base
import Foundation
import YAML

/// The chart of this checkout, and the values that tests render it with.
enum ChartFiles {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
    static let helm = Helm(root: root)
    static let values = "\(root)/Tests/ChartTests/Fixtures/values"

    /// The names of the values files.
    static let matrix = ((try? FileManager.default.contentsOfDirectory(atPath: values)) ?? []).filter { $0.hasSuffix(".yaml") }.sorted()

    static func text(_ path: String) throws -> String { try String(contentsOfFile: "\(root)/\(path)", encoding: .utf8) }

    /// The objects of a rendering.
    static func objects(_ rendered: String) throws -> [JSONValue] { try YAML.parse(rendered).filter { !$0.isNull } }

    /// The objects of one kind.
    static func objects(_ kind: String, in rendered: String) throws -> [JSONValue] {
        try objects(rendered).filter { $0["kind"]?.string == kind }
    }

    /// The words that the operator is started with.
    static func arguments(_ rendered: String) throws -> [String] {
        let deployment = try objects("Deployment", in: rendered).first
        return deployment?.at("spec", "template", "spec", "containers")?[0]?["args"]?.array?.compactMap(\.string) ?? []
    }
}
