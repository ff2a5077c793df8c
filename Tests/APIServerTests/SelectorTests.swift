import Base
import Testing

@testable import APIServer

@Suite("Selectors, paths into objects, and how values are shown")
struct SelectorTests {
    @Test(
        "label selectors",
        arguments: [
            ("", true), ("tier=gold", true), ("tier==gold", true), ("tier!=gold", false), ("tier", true), ("!tier", false),
            ("!nope", true),
            ("tier in (gold, silver)", true), ("tier notin (gold)", false), ("nope notin (x)", true), ("nope!=x", true),
            ("n>3", true),
            ("n<3", false), ("tier=gold,n", true), ("tier=gold,!n", false), ("empty=", true), ("in in (x)", false),
            ("example.com/a in (b)", true),
        ])
    func labels(text: String, matches: Bool) throws {
        let labels = ["tier": "gold", "n": "5", "empty": "", "example.com/a": "b"]
        #expect(try LabelSelector(parsing: text).matches(labels) == matches)
    }

    @Test("broken label selectors", arguments: ["==", "a=b,", "a in b", "a in (b", "a b", "!", "a>x", "-a=b", "a=b c"])
    func brokenLabels(text: String) {
        #expect(throws: APIFailure.self) { try LabelSelector(parsing: text) }
    }

    @Test(
        "JSON paths of printer columns",
        arguments: [
            (".a.b", "[1]"), (".list[1]", "[\"y\"]"), (".list[-1]", "[\"z\"]"), (".list[*]", "[\"x\",\"y\",\"z\"]"),
            (".nope", "[]"),
            (".conditions[?(@.type==\"Ready\")].status", "[\"True\"]"), (".conditions[?(@.type=='Nope')].status", "[]"),
            (".conditions[?(@.n>1)].type", "[\"Done\"]"), (".metadata.annotations.example\\.com/x", "[\"dotted\"]"),
            (".metadata.annotations['example.com/x']", "[\"dotted\"]"), (".a['b']", "[1]"), ("{.a.b}", "[1]"),
        ])
    func paths(path: String, result: String) throws {
        let object: JSONValue = [
            "a": ["b": 1], "list": ["x", "y", "z"], "metadata": ["annotations": ["example.com/x": "dotted"]],
            "conditions": [["type": "Ready", "status": "True", "n": 1], ["type": "Done", "status": "False", "n": 2]],
        ]
        #expect(JSONValue.array(try JSONPathExpression(path).values(in: object)).text == result)
    }

    @Test("broken JSON paths", arguments: [".a[", ".a..b", ".a[?(@.x]", ".a[x]", "a b]["])
    func brokenPaths(path: String) {
        #expect(throws: JSONPathExpression.SyntaxFault.self) { try JSONPathExpression(path) }
    }

    @Test(
        "ages as kubectl prints them",
        arguments: [
            (0, "0s"), (119, "119s"), (120, "2m"), (150, "2m30s"), (599, "9m59s"), (600, "10m"), (10_799, "179m"), (10_800, "3h"),
            (11_100, "3h5m"), (28_800, "8h"), (172_799, "47h"), (172_800, "2d"), (176_400, "2d1h"), (691_200, "8d"), (-0.5, "0s"),
            (-5, "<invalid>"),
        ])
    func ages(seconds: Double, text: String) { #expect(HumanDuration.text(seconds: seconds) == text) }

    @Test(
        "quantities", arguments: [("100m", 0.1), ("1", 1), ("1.5Gi", 1_610_612_736), ("2e3", 2000), ("5k", 5000), ("1E", 1e18)])
    func quantities(text: String, value: Double) {
        #expect(abs((Quantity(text)?.value ?? -1) - value) <= value * 1e-12)
    }

    @Test("invalid quantities", arguments: ["", "x", "1Q", "1 Gi", "Gi"])
    func noQuantities(text: String) { #expect(Quantity(text) == nil) }

    @Test("preferred versions come first")
    func versions() {
        let sorted = ["v1", "foo", "v2beta1", "v10", "v1alpha1", "v2", "v1beta2"].sorted { VersionOrder.isPreferred($0, to: $1) }
        #expect(sorted == ["v10", "v2", "v1", "v2beta1", "v1beta2", "v1alpha1", "foo"])
    }
}
