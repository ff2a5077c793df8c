import KubeCore
import Testing

@testable import assay

@Suite("The message of `assay run` for a document that the API server refuses")
struct RefusedDocumentTests {
    private func message(_ causes: [(String, String)]) -> String {
        RefusedDocument.message(
            KubeStatus(
                code: 422, reason: "Invalid", message: "EvalJob.assay.dev \"x\" is invalid: [long]", name: "x", kind: "EvalJob",
                causes: causes.map { .init(reason: "FieldValueInvalid", message: $0.1, field: $0.0) }), name: "EvalJob \"x\"")
    }

    @Test("each field with what is wrong, without the value of an object and without the notes of the validator")
    func fields() {
        #expect(message([("spec.agents[0].name", "Required value")]) == "EvalJob \"x\": spec.agents[0].name: is missing")
        #expect(
            message([
                ("spec.agents[0].name", "Required value"),
                (
                    "<nil>",
                    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation"
                ),
                ("spec.parallelism", "Invalid value: -1: spec.parallelism in body should be greater than or equal to 0"),
            ]) == "EvalJob \"x\": spec.agents[0].name: is missing; spec.parallelism: -1: should be greater than or equal to 0")
        #expect(
            message([("spec.attempts", "Invalid value: \"string\": spec.attempts in body must be of type integer: \"string\"")])
                == "EvalJob \"x\": spec.attempts: must be of type integer: \"string\"")
        #expect(
            message([("spec.artifacts", "Invalid value: {\"backend\":\"git\"}: git is required for backend: git")])
                == "EvalJob \"x\": spec.artifacts: git is required for backend: git")
        #expect(
            message([("spec.artifacts.backend", "Unsupported value: \"s3\": supported values: \"local\", \"git\"")])
                == "EvalJob \"x\": spec.artifacts.backend: Unsupported value: \"s3\": supported values: \"local\", \"git\"")
        #expect(message([("<nil>", "Invalid value: \"\": the job needs an agent")]) == "EvalJob \"x\": the job needs an agent")
    }

    @Test("a refusal without causes stays as it is, passwords in addresses apart")
    func plain() {
        #expect(
            RefusedDocument.message(KubeStatus(code: 400, reason: "BadRequest", message: "unknown field \"spec.x\""), name: "n")
                == "unknown field \"spec.x\"")
        #expect(!message([("spec.source.repo", "Invalid value: \"https://u:hunter22@h/r\": no userinfo")]).contains("hunter22"))
    }
}
