import AssayAPI
import Base
import KubeClient
import KubeCore
import Registry

/// The registry of a target, with the credentials that its Secrets have now.
struct BuildRegistry: Sendable {
    let client: KubeClient

    /// What cannot be used, in words that name the field.
    struct Unusable: Error, Sendable, CustomStringConvertible {
        let description: String
    }

    /// The path of images in a registry that is named without one.
    static let defaultPath = "assay-tasks"

    func open(_ build: BuildSpec, namespace: String) async throws -> RegistryClient {
        let repository: ImageRepository
        do { repository = try ImageRepository(parsing: build.registry, defaultPath: Self.defaultPath) } catch {
            throw Unusable(description: "spec.image.build.registry of the EvalTarget: \(error)")
        }
        var credentials = RegistryCredentials.none
        if let secret = build.pushSecretRef ?? build.pullSecretRef {
            let text = try await value(RegistryCredentials.key, .secrets, "Secret", secret.name, namespace)
            guard case .success(let bytes) = Base64.decode(text) else { throw Unusable(description: "the Secret \"\(secret.name)\" is not base64") }
            do { credentials = try RegistryCredentials(dockerConfig: bytes) } catch {
                throw Unusable(description: "the Secret \"\(secret.name)\", key \(RegistryCredentials.key): \(error)")
            }
        }
        var authorities: [UInt8]?
        if let map = build.caRef { authorities = Array(try await value("ca.crt", .configMaps, "ConfigMap", map.name, namespace).utf8) }
        return RegistryClient(repository, credentials: credentials, authorities: authorities)
    }

    private func value(_ key: String, _ type: ResourceType, _ kind: String, _ name: String, _ namespace: String) async throws -> String {
        let object: JSONValue
        do { object = try await client.get(type, ObjectKey(namespace: namespace, name: name)) } catch {
            guard error.isNotFound else { throw error }
            throw Unusable(
                description: "there is no \(kind) \"\(name)\" in namespace \(namespace), which spec.image.build of the EvalTarget names; create it")
        }
        guard let text = object["data"]?[key]?.string else {
            throw Unusable(description: "the \(kind) \"\(name)\" has no key \"\(key)\", which spec.image.build of the EvalTarget needs")
        }
        return text
    }
}
