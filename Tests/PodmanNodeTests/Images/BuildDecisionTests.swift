import Base
import Testing

@testable import PodmanNode

@Suite("Builds of images: logs and arguments")
struct BuildDecisionTests {
    private func log(_ pieces: String...) -> BuildLog {
        var log = BuildLog()
        for piece in pieces { log.append(Array(piece.utf8)) }
        return log
    }

    @Test(
        "the step that began last",
        arguments: [
            ("STEP 1/2: FROM a\nSTEP 2/2: RUN false\nError: exit status 1\n", "STEP 2/2: RUN false"),
            ("[1/2] STEP 1/3: FROM a AS b\n[2/2] STEP 3/7: COPY x y\n--> 0abc\n", "STEP 3/7: COPY x y"),
            ("STEP 1/1: FROM a\nnot a STEP 9/9: x\n", "STEP 1/1: FROM a"), ("STEP by STEP: a guide\n", nil), ("", nil),
            ("STEP 1/2: FROM a\nSTEP 2/2: RUN without a line's end", "STEP 1/2: FROM a"),
        ])
    func step(text: String, step: String?) { #expect(log(text).step == step) }

    @Test("a line that comes in pieces")
    func pieces() { #expect(log("STE", "P 2/3: R", "UN x\nmore").step == "STEP 2/3: RUN x") }

    @Test("a failure begins with its step and its reason, and ends with the end of the output")
    func failing() {
        let log = log("STEP 1/2: FROM a\nSTEP 2/2: RUN make\nmake: *** no rule\nError: building at STEP \"RUN make\": exit status 2\n")
        #expect(log.error == "building at STEP \"RUN make\": exit status 2")
        let text = log.failing("exit status 2")
        #expect(text.hasPrefix("failed: STEP 2/2: RUN make\nexit status 2\n\nSTEP 1/2: FROM a\n"))
        #expect(text.hasSuffix("exit status 2\n"))
        #expect(self.log().failing("no podman").hasPrefix("failed: before the first step\nno podman"))
    }

    @Test("of a long output the end is kept, from the beginning of a line", arguments: [1, 3, 20])
    func long(pieces: Int) {
        var log = BuildLog()
        let line = String(repeating: "x", count: 99) + "\n"
        for _ in 0..<pieces { log.append(Array(String(repeating: line, count: 3000).utf8)) }
        log.append(Array("the last line\n".utf8))
        #expect(log.end.utf8.count <= BuildLog.limit + 100)
        #expect(log.end.hasPrefix("[the beginning is left out]\nxxxx") && log.end.hasSuffix("xxx\nthe last line\n"))
        #expect(log.end.split(separator: "\n").dropFirst().dropLast().allSatisfy { $0.count == 99 })
    }

    @Test("only working containers of builds are removed, not a pod's container that podman is creating")
    func buildContainers() {
        let list = """
            a1 base-working-container Storage
            b2 assay-6d1f-trial-0 Storage
            c3 b0c9a1-working-container-12 Storage
            d4 assay-6d1f-working-container-0 Storage
            e5 assay-6d1f-collector-0 Created
            f6 mine-working-container Created
            a7 working Storage
            """
        #expect(PodmanCLI.buildContainers(in: list) == ["a1", "c3"])
    }

    @Test("the arguments")
    func arguments() {
        var abilities = PodmanAbilities()
        abilities.network = "none"
        abilities.containerFlags = ["--ulimit", "nofile=5:5", "--pids-limit", "4096", "--ulimit", "nproc=6:6"]
        let build = PodmanBuild(name: "n:t", context: "/c", arguments: ["B": "2 3", "A": "$x"], limits: .init(seconds: 1))
        let words = BuildArguments.words(build, abilities, memory: 1000)
        #expect(words.first == "build" && words.last == "/c")
        for pair in [
            ["--network", "none"], ["--tag", "n:t"], ["--ulimit", "nofile=5:5"], ["--ulimit", "nproc=6:6"], ["--build-arg", "A=$x"],
            ["--build-arg", "B=2 3"],
            ["--file", "/c/Dockerfile"], ["--format", "docker"],
        ] { #expect(words.indices.contains { words[$0...].starts(with: pair) }, "\(pair)") }
        #expect(!words.contains("--memory") && !words.contains("--pids-limit"))
        abilities.network = "bridge"
        abilities.memoryLimits = true
        let more = BuildArguments.words(build, abilities, memory: 1000)
        #expect(!more.contains("--network") && more.indices.contains { more[$0...].starts(with: ["--memory", "1000b"]) })
    }

    @Test(
        "names without a registry mean Docker Hub, unless the machine's file says otherwise",
        arguments: [
            ("", true), ("# unqualified-search-registries = [\"x\"]\n", true), ("[[registry]]\nlocation = \"m\"\n", true),
            ("unqualified-search-registries = [\"quay.io\"]\n", false), ("  unqualified-search-registries = []\n", false),
        ])
    func registries(text: String, isAdded: Bool) {
        let result = BuildArguments.registries(text)
        #expect(result.hasPrefix("unqualified-search-registries = [\"docker.io\"]\n") == isAdded)
        #expect(result.hasSuffix(text))
    }
}
