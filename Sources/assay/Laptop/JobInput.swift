import Base
import EvalFormats
import Glibc
import YAML

/// What a job file holds.
enum JobInput: Sendable {
    /// Kubernetes objects: an EvalJob and what it needs.
    case resources(JobDocuments)
    /// A job of Rollout, and the hash of the file.
    case rollout(JobFile, digest: String)

    /// Reads a file, or standard input for `-`. Throws a `UsageError` with the place of the mistake.
    init(file: String) throws { try self.init(try Self.read(file), file: file) }

    /// - Parameter file: where the bytes are from, for messages.
    init(_ bytes: [UInt8], file: String) throws {
        let documents: [JSONValue]
        do { documents = try YAML.documents(bytes) } catch { throw UsageError("\(file): \(error)") }
        if documents.count == 1, JobFile.isJobFile(documents[0]) {
            do throws(FileFormatError) {
                self = .rollout(try JobFile.parse(bytes, file: file), digest: SHA256.hex(of: bytes))
            } catch {
                throw UsageError(error.description)
            }
        } else if documents.count == 1, AgentVConfig.isConfig(documents[0]) {
            throw UsageError("\(file) is a configuration of agentv, which names no tasks and no agents: begin with assay convert \(file)")
        } else {
            self = .resources(try JobDocuments(documents, file: file))
        }
    }

    /// The level of the log that the file asks for.
    var logLevel: Log.Level? {
        guard case .rollout(let file, _) = self else { return nil }
        return switch file.logLevel {
        case .debug?: .debug
        case .info?: .info
        case .warn?, .warning?: .warning
        case .error?: .error
        case nil: nil
        }
    }

    /// Throws a `UsageError` that names every variable that the file asks for and the environment does not have.
    func checkVariables(_ environment: [String: String]) throws {
        switch self {
        case .resources(var documents): try documents.fillSecrets(from: environment)
        case .rollout(let file, _):
            do throws(FileFormatError) { _ = try file.resolvedEnvironments(environment) } catch { throw UsageError(error.description) }
        }
    }

    /// Reads any kind of file, including a pipe.
    static func read(_ file: String) throws -> [UInt8] {
        let limit = 32 << 20
        let descriptor = file == "-" ? dup(STDIN_FILENO) : open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw UsageError("\(FileError("read", file))") }
        defer { close(descriptor) }
        let bytes: [UInt8]
        do throws(FileError) { bytes = try FileReading.upTo(limit + 1, from: descriptor, file) } catch { throw UsageError("\(error)") }
        guard bytes.count <= limit else { throw UsageError("\(file) is larger than 32 MiB: that is no job file") }
        return bytes
    }
}
