import AssayAPI
import Base
import KubeClient
import KubeCore

/// Applies documents of a job file to an embedded API server. `assay run` and `assay plan` do it with this, so that they refuse the same
/// documents in the same words.
struct DocumentWriter {
    let client: KubeClient

    /// The object as the server keeps it, with the defaults of its schema.
    ///
    /// When a document does not fit its schema at all, the error of a dry-run creation is reported, because the error of an apply is only about
    /// field management.
    ///
    /// - Throws: a `UsageError` that names each wrong field.
    func put(_ type: ResourceType, _ object: JSONValue) async throws -> JSONValue {
        do { return try await client.apply(type, object, manager: "assay-run", fieldValidation: "Strict") } catch {
            if error.status?.code == 500 {
                do { _ = try await client.create(type, object, dryRun: true, fieldValidation: "Strict") } catch  where !error.isAlreadyExists {
                    throw Self.refused(error)
                }
            }
            throw Self.refused(error)
        }
    }

    private static func refused(_ error: KubeError) -> any Error {
        guard let status = error.status, status.isInvalid || status.code == 400 else { return error }
        var text = RefusedDocument.message(status, name: "\(status.kind) \"\(status.name)\"")
        // The message of the rule at the root of the EvalJob schema.
        if text.contains("is fixed once trials exist") { text += " (here: give the changed job another name, or run it anew with --anew)" }
        return UsageError(text)
    }
}

extension JobDocuments {
    /// The documents with the defaults of their schemas, as the API server of `assay run` would keep them. The server that is asked keeps
    /// nothing on the disk and ends with this call.
    ///
    /// - Throws: a `UsageError` that names each wrong field of the first document that `assay run` would refuse.
    func admitted() async throws -> JobDocuments {
        let host = try await ControlPlaneHost.inMemory()
        let writer = DocumentWriter(client: host.client)
        let result: Result<JobDocuments, any Error>
        do {
            var admitted = self
            for (index, other) in others.enumerated() { admitted.others[index].object = try await writer.put(other.type, other.object) }
            admitted.job = try await writer.put(.evalJobs, job)
            result = .success(admitted)
        } catch {
            result = .failure(error)
        }
        await host.stop(removeContainers: false)
        return try result.get()
    }
}
