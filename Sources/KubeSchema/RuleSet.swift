import Base
import CEL

/// The compiled `x-kubernetes-validations` of a schema. A tree of the nodes that have rules or contain nodes with rules
/// (`apiserver/schema/cel.Validator`).
final class RuleSet: Sendable {
    /// Why a rule cannot be run.
    private struct RuleFault: Error, Sendable, CustomStringConvertible {
        let description: String
    }

    private struct Compiled: Sendable {
        let source: SchemaNode.Rule
        let program: Result<CELExpression, RuleFault>
        let message: Result<CELExpression, RuleFault>?
        let usesOldSelf: Bool
    }

    private let node: SchemaNode
    private let isResource: Bool
    private let rules: [Compiled]
    private let properties: [String: RuleSet]
    private let additional: RuleSet?
    private let items: RuleSet?

    /// Nil when neither the node nor any node below it has a rule.
    init?(_ node: SchemaNode, isResourceRoot: Bool) {
        self.node = node
        isResource = isResourceRoot || node.embedded
        let type = CELType(node, isResource: isResource)
        rules = node.rules.map { Self.compile($0, type) }
        properties = node.properties.compactMapValues { RuleSet($0, isResourceRoot: false) }
        additional = node.additional?.schema.flatMap { RuleSet($0, isResourceRoot: false) }
        items = node.items.flatMap { RuleSet($0, isResourceRoot: false) }
        if rules.isEmpty, properties.isEmpty, additional == nil, items == nil { return nil }
    }

    private static func compile(_ rule: SchemaNode.Rule, _ type: CELType?) -> Compiled {
        let variables = type.map { ["self": $0, "oldSelf": rule.optionalOldSelf ? .optional($0) : $0] }
        func compile(_ source: String, to wanted: CELType, _ complaint: String) -> Result<CELExpression, RuleFault> {
            do throws(CELCompileError) {
                let expression = try CELParser.parse(source)
                guard let variables else { return .success(expression) }
                let found = try CELChecker.type(of: expression, source: source, variables: variables)
                return CELType.fits(found, wanted) ? .success(expression) : .failure(RuleFault(description: complaint))
            } catch {
                return .failure(RuleFault(description: "compilation failed: \(error)"))
            }
        }
        let program = compile(rule.rule, to: .bool, "cel expression must evaluate to a bool")
        let message =
            rule.messageExpression.isEmpty
            ? nil : compile(rule.messageExpression, to: .string, "messageExpression must evaluate to a string")
        let readsOld = [program, message].contains { compiled in
            if case .success(let expression)? = compiled { expression.mentions("oldSelf") } else { false }
        }
        return Compiled(source: rule, program: program, message: message, usesOldSelf: readsOld)
    }

    // MARK: Evaluation

    func faults(of value: JSONValue, old: JSONValue?) -> [FieldError] {
        var run = Run()
        visit(value, old: old, correlation: old.map { Correlation(old: $0, node: node) }, parentUnchanged: false, "", &run)
        return run.faults
    }

    private struct Run {
        var faults: [FieldError] = []
        /// An expression exceeded its cost limit: no further rule is run.
        var exhausted = false
    }

    private func visit(
        _ value: JSONValue, old: JSONValue?, correlation: Correlation?, parentUnchanged: Bool, _ path: String, _ run: inout Run
    ) {
        if value.isNull || run.exhausted { return }
        // A part that has no corresponding old value is unchanged when its parent is.
        let unchanged = { correlation?.isUnchanged(value) ?? parentUnchanged }
        check(value, old: old, isUnchanged: unchanged, path, &run)
        switch value {
        case .object(let members):
            if properties.isEmpty, additional == nil { return }
            let below = correlation == nil ? parentUnchanged : unchanged()
            for (key, member) in members.sorted(by: { $0.key < $1.key }) {
                if let rules = properties[key] {
                    rules.visit(
                        member, old: old?.object?[key], correlation: correlation?.member(key), parentUnchanged: below,
                        path.isEmpty ? key : path + "." + key, &run)
                } else if let additional {
                    additional.visit(
                        member, old: old?.object?[key], correlation: correlation?.member(key), parentUnchanged: below, path + "[\(key)]", &run)
                }
            }
        case .array(let elements):
            guard let items else { return }
            let below = correlation == nil ? parentUnchanged : unchanged()
            let olds = ListTypes.Lookup(node, old?.array)
            let partners = correlation?.elements()
            for (index, element) in elements.enumerated() {
                items.visit(
                    element, old: olds?.match(element), correlation: partners?.partner(of: element), parentUnchanged: below,
                    "\(path)[\(index)]", &run)
            }
        default: break
        }
    }

    private func check(_ value: JSONValue, old: JSONValue?, isUnchanged: () -> Bool, _ path: String, _ run: inout Run) {
        guard !rules.isEmpty, !run.exhausted else { return }
        let type = JSONValue.string(node.type)
        let selfValue: CELValue
        let oldValue: CELValue?
        do throws(CELError) {
            selfValue = try bound(value)
            oldValue = try old.flatMap { $0.isNull ? nil : $0 }.map { value throws(CELError) in try bound(value) }
        } catch {
            run.faults.append(.invalid(path, type, "\(error) evaluating rule: \(words(of: rules[0].source))"))
            return
        }
        for rule in rules {
            guard case .success(let expression) = rule.program else {
                if case .failure(let error) = rule.program { run.faults.append(.invalid(path, type, "rule compile error: \(error)")) }
                continue
            }
            if rule.usesOldSelf, oldValue == nil, !rule.source.optionalOldSelf { continue }
            var variables = ["self": selfValue]
            if rule.source.optionalOldSelf {
                variables["oldSelf"] = .optional(oldValue)
            } else if let oldValue {
                variables["oldSelf"] = oldValue
            }
            do throws(CELError) {
                if case .bool(true) = try CELInterpreter.evaluate(expression, variables) { continue }
            } catch {
                evaluationFault(error, rule.source, type, path, &run)
                if run.exhausted { return }
                continue
            }
            // When an unchanged part had the same fault before, the fault is ignored, unless the rule reads `oldSelf`.
            if !rule.usesOldSelf, isUnchanged() { continue }
            run.faults.append(fault(rule, value, variables, path))
        }
    }

    private func bound(_ value: JSONValue) throws(CELError) -> CELValue {
        try CELData.value(of: value, node, isResource: isResource)
    }

    private func evaluationFault(_ error: CELError, _ rule: SchemaNode.Rule, _ type: JSONValue, _ path: String, _ run: inout Run) {
        if error == .costExceeded {
            run.exhausted = true
            run.faults.append(
                .invalid(
                    path, type, "'\(error)': no further validation rules will be run due to call cost exceeds limit for rule: \(words(of: rule))"))
        } else if error.description.hasPrefix("no such overload") {
            run.faults.append(
                .invalid(
                    path, type,
                    "'\(error)': call arguments did not match a supported operator, function or macro signature for rule: \(words(of: rule))"))
        } else {
            run.faults.append(.invalid(path, type, "\(error) evaluating rule: \(words(of: rule))"))
        }
    }

    private func fault(_ rule: Compiled, _ value: JSONValue, _ variables: [String: CELValue], _ path: String) -> FieldError {
        var detail = rule.source.message.isEmpty ? "failed rule: \(words(of: rule.source))" : words(of: rule.source)
        if case .success(let expression)? = rule.message,
            case .string(let text)? = try? CELInterpreter.evaluate(expression, variables)
        {
            let trimmed = Self.trimmed(text)
            if !trimmed.isEmpty, trimmed.utf8.count <= 5 * 1024, !trimmed.contains("\n") { detail = trimmed }
        }
        let place = path + (rule.source.fieldPath.isEmpty || !path.isEmpty ? rule.source.fieldPath : String(rule.source.fieldPath.dropFirst()))
        // Without the explicit type, nil would become a JSON null.
        let shown: JSONValue? = node.type == "object" || node.type == "array" ? .none : value
        return switch rule.source.reason {
        case "FieldValueForbidden": .forbidden(place, detail)
        case "FieldValueRequired": .required(place, detail)
        case "FieldValueDuplicate": .duplicate(place, shown)
        default: .invalid(place, shown, detail)
        }
    }

    private func words(of rule: SchemaNode.Rule) -> String { Self.trimmed(rule.message.isEmpty ? rule.rule : rule.message) }

    static func trimmed(_ text: String) -> String {
        let scalars = text.unicodeScalars
        guard let start = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
            let end = scalars.lastIndex(where: { !$0.properties.isWhitespace })
        else { return "" }
        return String(scalars[start...end])
    }

    // MARK: Compilation

    /// The rules that do not compile, with their paths in the definition.
    func compileErrors(path: String) -> [FieldError] {
        var faults: [FieldError] = []
        for (index, rule) in rules.enumerated() {
            let place = "\(path).x-kubernetes-validations[\(index)]"
            if Self.trimmed(rule.source.rule).isEmpty {
                faults.append(.required(place + ".rule", "rule is not specified"))
            } else if case .failure(let error) = rule.program {
                faults.append(.invalid(place + ".rule", .string(rule.source.rule), error.description))
            }
            if case .failure(let error)? = rule.message {
                faults.append(
                    .invalid(place + ".messageExpression", .string(rule.source.messageExpression), error.description))
            }
        }
        for (name, rules) in properties.sorted(by: { $0.key < $1.key }) { faults += rules.compileErrors(path: path + ".properties[\(name)]") }
        if let additional { faults += additional.compileErrors(path: path + ".additionalProperties") }
        if let items { faults += items.compileErrors(path: path + ".items") }
        return faults
    }
}
