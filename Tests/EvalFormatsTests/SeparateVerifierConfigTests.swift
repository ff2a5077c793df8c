import EvalModel
import Testing

@testable import EvalFormats

@Suite("task.toml: separate verifiers")
struct SeparateVerifierConfigTests {
    private func parse(_ text: String, format: TaskSchema? = nil) throws(TrialError) -> TaskConfig {
        try TaskConfig.parse(Array(text.utf8), name: "x", format: format)
    }

    @Test("what a separate verifier cannot have yet is refused by name")
    func separateRequirements() throws {
        let task = try parse(
            """
            [verifier.environment]
            gpus = 1
            os = "windows"
            network_mode = "no-network"
            [verifier.environment.healthcheck]
            command = "true"
            [[verifier.collect]]
            command = "true"
            service = "db"
            [[verifier.collect]]
            command = "true"
            user = "app"
            """
        ).task
        let refusal = task.refusal(image: .target("i"), verifiers: task.verifierImages(.shared, trial: .target("i")), canBuild: true)?.message ?? ""
        for key in [
            "verifier.environment.gpus", "verifier.environment.os = \"windows\"",
            "verifier.environment.healthcheck", "[[verifier.collect]] of the service \"db\"",
        ] { #expect(refusal.contains(key), "\(key): \(refusal)") }
    }

    @Test("the images of the separate verifiers of steps: the step's own, the task's, the trial's; all steps or none")
    func verifiersOfSteps() throws {
        var task = try parse(
            """
            [verifier]
            environment_mode = "separate"
            [[steps]]
            name = "a"
            [steps.verifier.environment]
            docker_image = "a:1"
            [[steps]]
            name = "b"
            [[steps]]
            name = "c"
            """
        ).task
        task.steps[1].verifier.hasDockerfile = true
        #expect(task.verifierImages(.shared, trial: .job("j")) == [.own("a:1"), .dockerfile(in: "steps/b/tests"), .trial(.job("j"))])
        #expect(task.refusal(image: .job("j"), verifiers: task.verifierImages(.shared, trial: .job("j")), canBuild: true) == nil)
        task.verifier.hasDockerfile = true
        #expect(task.verifierImages(.shared, trial: .job("j"))[2] == .dockerfile(in: "tests"))
        task.steps[2].verifier.givenMode = .shared
        let some = task.verifierImages(.shared, trial: .job("j"))
        #expect(some.count == 2)
        #expect(task.refusal(image: .job("j"), verifiers: some, canBuild: true)?.message.contains("for 2 of 3 steps") == true)
        #expect(task.verifierImages(.separate, trial: .job("j")).count == 3, "a job may have all verified separately")
        task.steps[0].verifier.environment?.network = TaskNetwork(.none)
        #expect(
            TaskRequirements.unmet(by: task, verifiers: 3) == [
                "another network_mode of the verifier's environment in step \"a\" is not supported yet"
            ])
    }

    @Test("the image of a separate verifier: its own, tests/Dockerfile, the trial's")
    func verifierImages() throws {
        var task = try parse("[verifier]\nenvironment_mode = \"separate\"").task
        #expect(task.isVerifiedSeparately(.shared) && task.verifierImages(.shared, trial: .job("j")) == [.trial(.job("j"))])
        task.verifier.hasDockerfile = true
        let built = task.verifierImages(.shared, trial: .job("j"))
        #expect(built == [.dockerfile(in: "tests")] && built.allSatisfy(\.bringsTests))
        #expect(task.refusal(image: .job("j"), verifiers: built, canBuild: false)?.message.contains("tests/Dockerfile") == true)
        task.verifier.environment = TaskEnvironment(dockerImage: "v")
        #expect(task.verifierImages(.shared, trial: nil) == [.own("v")])
        task.verifier = TaskVerifier(hasCompose: true)
        #expect(!task.isVerifiedSeparately(.shared) && task.isVerifiedSeparately(.separate))
        #expect(TaskRequirements.unmet(by: task, verifiers: 1).contains { $0.contains("tests/docker-compose.yaml") })
        #expect(TaskRequirements.unmet(by: task) == [])
    }
}
