import Base
import YAML

/// The file of `assay operator --repositories`: the repositories that the operator and the nodes have before a job needs them.
///
/// A YAML list of objects with `repo`, and, if wanted, `ref`, `secretRef` with `namespace` and `name`, and `intervalSeconds`.
public struct RepositoriesFile: Sendable, Hashable {
    /// A Secret with the credentials of a repository.
    public struct Secret: Sendable, Hashable {
        public var namespace: String
        public var name: String
    }

    public struct Repository: Sendable, Hashable {
        /// As in a job: a URL, or `owner/name` of github.com.
        public var repo: String
        /// A branch, tag or commit; nil: the default branch.
        public var ref: String?
        public var secret: Secret?
        /// Seconds between two looks at the ref.
        public var intervalSeconds: Int
    }

    public static let defaultInterval = 60

    public var repositories: [Repository]

    /// - Parameter file: the file's name, for messages.
    /// - Throws: `FileFormatError` with the path of the value that is wrong, also for a key that there is not and for a repository that is there twice.
    public static func parse(_ bytes: [UInt8], file: String) throws(FileFormatError) -> RepositoriesFile {
        let value: JSONValue
        do { value = try YAML.parseSingle(bytes) } catch { throw FileFormatError(file: file, place: "", message: "\(error)") }
        if value.isNull { return RepositoriesFile(repositories: []) }
        guard case .array(let elements) = value else {
            throw FileFormatError(file: file, place: "", message: "must be a list of repositories, not \(ValueReader.kindName(value))")
        }
        var found: [Repository] = []
        for var reader in try ValueReader.objects(elements, file: file, path: "") {
            let repository = try repository(&reader)
            guard !found.contains(where: { $0.repo == repository.repo && $0.ref == repository.ref && $0.secret == repository.secret }) else {
                throw reader.problem("repo", "\"\(repository.repo)\" is given twice with the same ref and Secret")
            }
            found.append(repository)
        }
        return RepositoriesFile(repositories: found)
    }

    private static func repository(_ reader: inout ValueReader) throws(FileFormatError) -> Repository {
        var repository = Repository(
            repo: try reader.requiredString("repo"), ref: try reader.string("ref"),
            intervalSeconds: try reader.integer("intervalSeconds", atLeast: 1) ?? defaultInterval)
        if repository.ref?.isEmpty == true { repository.ref = nil }
        if var secret = try reader.object("secretRef") {
            repository.secret = Secret(namespace: try secret.requiredString("namespace"), name: try secret.requiredString("name"))
            try refuseUnknown(secret)
        }
        try refuseUnknown(reader)
        return repository
    }

    private static func refuseUnknown(_ reader: ValueReader) throws(FileFormatError) {
        if let key = reader.unknownKeys.first {
            throw reader.problem(key, "is no field; there are repo, ref, secretRef (namespace, name) and intervalSeconds")
        }
    }
}
