import EvalModel
import Testing

@testable import EvalFormats

@Suite("The image of a Compose file's main")
struct ComposeFileTests {
    @Test(
        "where it comes from",
        arguments: [
            ("services: {main: {image: 'python:3.12'}}", ComposeImage.named("python:3.12")),
            ("services: {main: {build: .}}", .built(.init())), ("services: {main: {build: ./app, image: mine}}", .built(.init(context: "app"))),
            (
                "services: {main: {build: {context: app/x, dockerfile: Dev, target: run, args: {A: 1, B: two, C: null}}}}",
                .built(.init(context: "app/x", dockerfile: "Dev", arguments: ["A": "1", "B": "two"], target: "run"))
            ),
            ("services: {main: {build: {args: [A=1, 'B=x=y', C]}}}", .built(.init(arguments: ["A": "1", "B": "x=y"]))),
            // What only Compose's variables tell, another place, nothing, and no YAML.
            ("services: {main: {image: '${IMAGE}'}}", nil), ("services: {main: {build: ../other}}", nil), ("services: {main: {build: /abs}}", nil),
            ("services: {main: {build: 'https://example.com/x.git'}}", nil), ("services: {main: {build: {dockerfile_inline: 'FROM x'}}}", nil),
            ("services: {main: {}}", nil), ("services: {db: {image: postgres}}", nil), ("services: []", nil), ("", nil), ("{", nil),
        ])
    func image(text: String, expected: ComposeImage?) { #expect(ComposeFile.mainImage(Array(text.utf8)) == expected) }

    @Test("it comes after docker_image and the Dockerfile, and instead of the target's default")
    func order() {
        var task = EvalTask(name: "t", schema: .harbor, schemaVersion: "1.0")
        task.environment.hasCompose = true
        func image() -> TaskImage? { task.image(override: nil, forceBuild: false, targetDefault: "default:1") }
        #expect(image() == nil, "the default would lack what the file adds")
        task.environment.composeImage = .named("c:1")
        #expect(image() == .compose(.named("c:1")) && image()?.name == "c:1")
        task.environment.hasDockerfile = true
        #expect(image() == .dockerfile)
        task.environment.dockerImage = "own:1"
        #expect(image() == .task("own:1"))
    }
}
