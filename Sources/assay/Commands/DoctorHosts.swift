import AssayAPI
import Base
import KubeCore
import TrialPods
import TrialRuntime

/// The hosts of the vm targets in a file, as `assay doctor` looks at them, with the Secrets and ConfigMaps of the same file.
enum DoctorHosts {
    /// - Returns: for each vm target what is wrong with its host; nil: trials can run there.
    static func look(
        _ targets: [(name: String, spec: EvalTargetSpec)], in objects: [(type: ResourceType, object: JSONValue)]
    ) async -> [(target: String, problem: String?)] {
        var found: [(target: String, problem: String?)] = []
        for (name, spec) in targets {
            guard spec.type == .vm, let host = spec.host, UnsupportedFields.check(spec).isEmpty else { continue }
            found.append((name, await problem(of: host, objects)))
        }
        return found
    }

    private static func problem(of host: HostSpec, _ objects: [(type: ResourceType, object: JSONValue)]) async -> String? {
        do {
            let secret = try data(of: .secrets, host.sshSecretRef?.name, objects)
            let map = try data(of: .configMaps, host.knownHostsRef?.name, objects)
            _ = try await HostCheck.run(host.login, try HostKeys(secret: secret, map: map))
            return nil
        } catch let problem as HostCheck.Problem {
            return problem.message
        } catch {
            return "\(error)"
        }
    }

    private struct Absent: Error, CustomStringConvertible {
        let description: String
    }

    private static func data(
        of type: ResourceType, _ name: String?, _ objects: [(type: ResourceType, object: JSONValue)]
    ) throws -> [String: [UInt8]] {
        guard let name else { return [:] }
        guard let object = objects.first(where: { $0.type == type && $0.object.at("metadata", "name")?.string == name })?.object else {
            throw Absent(description: "the file has no \(type.kind) \"\(name)\", so that its host is not looked at; add it")
        }
        var found: [String: [UInt8]] = [:]
        for (key, value) in object["data"]?.object ?? [:] {
            guard let text = value.string else { continue }
            if type != .secrets { found[key] = Array(text.utf8) } else if case .success(let bytes) = Base64.decode(text) { found[key] = bytes }
        }
        for (key, value) in object["stringData"]?.object ?? [:] { found[key] = value.string.map { Array($0.utf8) } }
        return found
    }
}
