import Base
import Subprocess

/// Helm's own engine, through `scripts/helm` of a checkout. It needs no network.
public struct Helm: Sendable {
    /// The directory of the checkout.
    public let root: String

    public init(root: String) { self.root = root }

    public var chart: String { "\(root)/charts/assay" }

    /// The command `helm`, as far as `scripts/helm` has it.
    ///
    /// - Throws: `SubprocessError` when it cannot be started.
    public func callAsFunction(_ words: [String]) async throws -> CommandResult {
        try await Command("\(root)/scripts/helm", words, environment: .inherit, workingDirectory: root, deadlineSeconds: 120).run()
    }

    /// What `helm template` prints for the release `assay` in `assay-system`.
    ///
    /// - Parameter values: files, or YAML in braces; later ones win.
    /// - Throws: `HelmRefusal` with Helm's words.
    public func template(_ values: [String] = [], name: String = "assay", namespace: String = "assay-system", notes: Bool = false) async throws
        -> String
    {
        let result = try await self(["template", name, chart, "-n", namespace] + values.flatMap { ["-f", $0] } + (notes ? ["--notes"] : []))
        guard result.succeeded else { throw HelmRefusal(message: result.stderrText) }
        return result.stdoutText
    }
}

/// Helm does not render the chart with these values.
public struct HelmRefusal: Error, CustomStringConvertible {
    public var message: String
    public var description: String { message }
}
