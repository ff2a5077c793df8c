import Base
import HTTPServing
import YAML

extension APICore {
    func patch(_ request: ResourceRequest) throws(APIFailure) -> ServerResponse {
        let type = (request.http.header("content-type") ?? "").prefix { $0 != ";" }.trimming { $0 == " " }
        var accepted = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"]
        if !request.kind.isCustom { accepted.insert("application/strategic-merge-patch+json", at: 2) }
        guard accepted.contains(String(type)) else { throw .unsupportedMediaType(accepted) }
        if type == "application/apply-patch+yaml" { return try apply(request) }
        let options = try WriteOptions(request.http, options: "PatchOptions")
        if request.http.query["force"] != nil {
            throw .invalid("meta.k8s.io", "PatchOptions", "", [.forbidden("force", "may not be specified for non-apply patch")])
        }
        let (document, duplicates) = try parsePatch(request)
        let kind = request.kind
        return try mutate(request, options) { (old: JSONValue) throws(APIFailure) in
            var value: JSONValue
            switch type {
            case "application/json-patch+json":
                do throws(JSONPatch.Fault) {
                    value = try JSONPatch(document).apply(to: old)
                } catch {
                    switch error {
                    case .malformed(let why): throw .badRequest("error decoding patch: \(why)")
                    case .tooLong(let count):
                        throw APIFailure(
                            413, "RequestEntityTooLarge",
                            "Request entity too large: The allowed maximum operations in a JSON patch is "
                                + "\(JSONPatch.maximumOperations), got \(count)")
                    case .unappliable: throw .unappliablePatch
                    }
                }
            case "application/merge-patch+json":
                guard document.object != nil else {
                    throw .badRequest(
                        "error decoding patch: json: cannot unmarshal \(document.goKind) into Go value of type map[string]interface {}"
                    )
                }
                value = MergePatch.apply(document, to: old)
            default:
                do throws(StrategicMergePatch.Fault) {
                    value = try StrategicMergePatch.apply(document, to: old, shape: kind.shape)
                } catch {
                    throw .badRequest(error.message)
                }
            }
            guard value["kind"]?.string != nil else { throw .invalidPatch(value, "Object 'Kind' is missing in '\(value.text)'") }
            for (field, wanted) in [("kind", kind.kind), ("apiVersion", kind.apiVersion)] {
                let found = value[field]?.string ?? ""
                guard found == wanted else {
                    throw .invalid(
                        kind.group, value["kind"]?.string ?? "", request.name ?? "",
                        [.invalid(field, .string(found), "must be \(wanted)")])
                }
            }
            let patched = value
            let warnings = duplicates + (try request.normalise(&value))
            if options.validation == .strict, !warnings.isEmpty {
                throw .invalidPatch(patched, "strict decoding error: \(warnings.joined(separator: ", "))")
            }
            try checkPlace(value, request)
            return Mutation(value: value, warnings: options.validation == .ignore ? [] : warnings)
        }
    }

    /// Refuses a patch that changes the object's name or namespace.
    private func checkPlace(_ value: JSONValue, _ request: ResourceRequest) throws(APIFailure) {
        let name = request.name ?? ""
        let named = value.at("metadata", "name")?.string ?? ""
        guard !named.isEmpty else {
            throw .badRequest("the name of the object (\(name) based on URL) was undeterminable: name must be provided")
        }
        guard named == name else {
            throw .badRequest("the name of the object (\(named)) does not match the name on the URL (\(name))")
        }
        let namespace = value.at("metadata", "namespace")?.string ?? ""
        guard namespace.isEmpty || namespace == request.namespace else {
            throw .badRequest("the namespace of the provided object does not match the namespace sent on the request")
        }
    }

    private func parsePatch(_ request: ResourceRequest) throws(APIFailure) -> (JSONValue, [String]) {
        do {
            let (value, duplicates) = try JSONValue.parseReportingDuplicates(request.http.body)
            return (value, duplicates.map { "duplicate field \"\($0)\"" })
        } catch {
            throw .badRequest("error decoding patch: \(error)")
        }
    }

    // MARK: Server-side apply

    private func apply(_ request: ResourceRequest) throws(APIFailure) -> ServerResponse {
        let options = try WriteOptions(request.http, options: "PatchOptions")
        guard let manager = request.http.query["fieldManager"], !manager.isEmpty else {
            throw .invalid("meta.k8s.io", "PatchOptions", "", [.required("fieldManager", "is required for apply patch")])
        }
        let (configuration, warnings) = try parseConfiguration(request, options)
        let kind = request.kind
        let moment = now.rfc3339
        while true {
            if store.get(kind.id, request.key) != nil {
                return try mutate(request, options) { (old: JSONValue) throws(APIFailure) in
                    var live = old
                    live.set(["metadata", "managedFields"], to: nil)
                    var managers = FieldManagers(old)
                    let value = try managers.apply(
                        configuration, to: live, kind: kind, manager: manager, subresource: request.subresource ?? "",
                        force: options.isForced, now: moment)
                    return Mutation(value: value, warnings: warnings, managers: managers)
                }
            }
            guard request.subresource == nil else { throw kind.notFound(request.name ?? "") }
            do {
                return try applyNew(request, options, configuration, warnings, manager)
            } catch  where error.reason == "AlreadyExists" {
                continue  // another client created the object in the meantime
            }
        }
    }

    private func applyNew(
        _ request: ResourceRequest, _ options: WriteOptions, _ configuration: JSONValue, _ warnings: [String], _ manager: String
    ) throws(APIFailure) -> ServerResponse {
        let kind = request.kind
        if let uid = configuration.at("metadata", "uid")?.string, !uid.isEmpty {
            throw kind.conflict(
                request.name ?? "", "uid mismatch: the provided object specified uid \(uid), and no existing object was found")
        }
        if kind.custom?.isTerminating == true { throw .methodNotAllowed }
        var value = configuration
        let object = try admit(&value, request, isDryRun: options.isDryRun) { (value: JSONValue) throws(APIFailure) in
            var managers = FieldManagers([:])
            _ = try managers.apply(
                value, to: [:], kind: kind, manager: manager, subresource: "", force: true, now: self.now.rfc3339)
            return managers.value
        }
        guard let object else { return answer(request, value: value, status: 201, warnings: warnings) }
        if kind.id == .customResourceDefinitions { refreshDefinitions() }
        return try answer(request, object, status: 201, warnings: warnings)
    }

    private func parseConfiguration(_ request: ResourceRequest, _ options: WriteOptions) throws(APIFailure) -> (
        JSONValue, [String]
    ) {
        let kind = request.kind
        var value: JSONValue
        do {
            value = try YAML.parseSingle(request.http.body)
        } catch {
            throw .badRequest("error decoding YAML: \(error)")
        }
        guard value.object != nil else { throw .badRequest("error decoding YAML: the configuration must be an object") }
        guard value["apiVersion"]?.string == kind.apiVersion, value["kind"]?.string == kind.kind else {
            throw .badRequest("invalid object type: \(value["apiVersion"]?.string ?? ""), Kind=\(value["kind"]?.string ?? "")")
        }
        if let managed = value.at("metadata", "managedFields"), !managed.isNull, managed != [] {
            throw .badRequest("metadata.managedFields must be nil")
        }
        let named = value.at("metadata", "name")?.string ?? ""
        guard named.isEmpty || named == request.name else {
            throw .badRequest("the name of the object (\(named)) does not match the name on the URL (\(request.name ?? ""))")
        }
        let namespace = value.at("metadata", "namespace")?.string ?? ""
        guard namespace.isEmpty || namespace == request.namespace else {
            throw .badRequest("the namespace of the provided object does not match the namespace sent on the request")
        }
        let faults = TypedCheck.faults(in: value, shape: kind.shape)
        if !faults.isEmpty {
            throw .unexpected(
                "failed to create typed patch object (\(namespace)/\(named); \(kind.apiVersion), Kind=\(kind.kind)): "
                    + TypedCheck.list(faults))
        }
        let warnings = try request.normalise(&value)
        try request.enforce(warnings, options)
        value.set(["metadata", "name"], to: .string(request.name ?? ""))
        if kind.isNamespaced { value.set(["metadata", "namespace"], to: .string(request.namespace)) }
        return (value, options.validation == .ignore ? [] : warnings)
    }
}
