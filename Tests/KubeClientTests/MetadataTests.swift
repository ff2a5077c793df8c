import Base
import KubeCore
import Testing

@Suite struct ResourceVersionTests {
    @Test("catalogue 18: versions of any length are ordered as numbers") func ordering() throws {
        let ordered = [
            "1", "9", "10", "99", "100", "9223372036854775807", "9223372036854775808", "18446744073709551616",
            "1000000000000000000000000", "9999999999999999999999999", "10000000000000000000000000",
        ]
        let versions = try ordered.map { try #require(ResourceVersion($0)) }
        #expect(versions.shuffled().sorted() == versions)
        for (a, b) in zip(versions, versions.dropFirst()) {
            #expect(a < b)
            #expect(!(b < a))
        }
        #expect(ResourceVersion("77") == ResourceVersion("77"))
    }

    @Test("catalogue 18: texts that are not versions have no order", arguments: ["", "0", "00", "01", "-1", "+1", "1.0", "1e3", " 1", "a", "１"])
    func refused(text: String) { #expect(ResourceVersion(text) == nil) }
}

@Suite struct ObjectMetaTests {
    static let json: JSONValue = [
        "name": "x", "namespace": "a", "uid": "u-1", "resourceVersion": "12", "generation": 3,
        "creationTimestamp": "2026-01-02T03:04:05Z", "deletionTimestamp": "2026-01-02T03:05:05Z",
        "deletionGracePeriodSeconds": 30, "labels": ["k": "v"], "annotations": ["n": "m"], "finalizers": ["f/g"],
        "ownerReferences": [
            ["apiVersion": "assay.dev/v1alpha1", "kind": "EvalJob", "name": "j", "uid": "u-0", "controller": true, "blockOwnerDeletion": true]
        ],
    ]

    @Test func theTwoWaysOfReadingAgree() throws {
        let decoded = try JSONValueDecoder().decode(ObjectMeta.self, from: Self.json)
        #expect(decoded == ObjectMeta(of: ["metadata": Self.json]))
        #expect(decoded.key == ObjectKey(namespace: "a", name: "x"))
        #expect(decoded.isDeleting)
        #expect(decoded.controller?.uid == "u-0")
        #expect(decoded.creationTimestamp?.rfc3339 == "2026-01-02T03:04:05Z")
    }

    @Test func writingGivesBackWhatWasRead() throws {
        let meta = ObjectMeta(metadata: Self.json)
        #expect(try JSONValueEncoder().encode(meta) == Self.json)
        #expect(try JSONValueEncoder().encode(ObjectMeta(generateName: "x-")) == ["generateName": "x-"])
    }

    @Test func nullsAndUnknownFieldsAreHarmless() throws {
        let json: JSONValue = ["name": "x", "labels": nil, "managedFields": [["manager": "m"]], "creationTimestamp": nil]
        #expect(try JSONValueDecoder().decode(ObjectMeta.self, from: json) == ObjectMeta(name: "x"))
    }

    @Test func keysAreOrderedAndNamed() {
        let keys = [ObjectKey(namespace: "b", name: "a"), ObjectKey(namespace: "", name: "z"), ObjectKey(namespace: "a", name: "b")]
        #expect(keys.sorted().map(\.description) == ["z", "a/b", "b/a"])
        #expect(ObjectKey(of: ["metadata": ["name": ""]]) == nil)
    }
}

@Suite struct StatusTests {
    static let conflict: JSONValue = [
        "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Failure",
        "message": "Operation cannot be fulfilled on pods \"x\": the object has been modified", "reason": "Conflict",
        "details": ["name": "x", "kind": "pods", "uid": "u"], "code": 409,
    ]

    @Test func aStatusBody() {
        let status = KubeStatus(httpCode: 409, body: Self.conflict.serialized(), request: "PUT /x")
        #expect(status.isConflict)
        #expect(!status.isAlreadyExists)
        #expect(status.name == "x")
        #expect(status.kind == "pods")
        #expect("\(status)" == "Operation cannot be fulfilled on pods \"x\": the object has been modified (Conflict, 409)")
    }

    @Test func theFieldOfAnInvalidObject() {
        let json: JSONValue = [
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "EvalJob is invalid", "reason": "Invalid", "code": 422,
            "details": [
                "causes": [["reason": "FieldValueInvalid", "message": "must be positive", "field": "spec.attempts"]], "retryAfterSeconds": 3,
            ],
        ]
        let status = KubeStatus(httpCode: 422, body: json.serialized(), request: "POST /x")
        #expect(status.isInvalid)
        #expect(status.causes == [KubeStatus.Cause(reason: "FieldValueInvalid", message: "must be positive", field: "spec.attempts")])
        #expect(status.retryAfterSeconds == 3)
    }

    @Test(arguments: [
        (404, "404 page not found\n", "NotFound", "the server answered 404 to GET /x: 404 page not found"),
        (502, "<html>\r\n<h1>Bad\u{1B}[31m Gateway</h1>", "Unknown", "the server answered 502 to GET /x: <html> <h1>Bad\\x1b[31m Gateway</h1>"),
        (500, "", "InternalError", "the server answered 500 to GET /x"),
        (410, "{\"kind\":\"Pod\"}", "Gone", "the server answered 410 to GET /x: {\"kind\":\"Pod\"}"),
        (401, "Unauthorized", "Unauthorized", "the server answered 401 to GET /x: Unauthorized"),
        (504, "{\"kind\":\"Status\",\"apiVersion\":\"v1\"}", "Timeout", "the server answered 504 to GET /x"),
    ]) func bodiesThatSayLess(code: Int, body: String, reason: String, message: String) {
        let status = KubeStatus(httpCode: code, body: Array(body.utf8), request: "GET /x")
        #expect(status.code == code)
        #expect(status.reason == reason)
        #expect(status.message == message)
    }

    @Test func aLongForeignBodyIsCut() {
        let status = KubeStatus(httpCode: 500, body: [UInt8](repeating: 120, count: 10_000), request: "GET /x")
        #expect(status.message.count < 400)
        #expect(status.message.hasSuffix("..."))
    }

    @Test(
        arguments: [("3", 3), (" 7 ", 7), ("0", 0), ("-1", nil), ("soon", nil), ("Wed, 21 Oct 2026 07:28:00 GMT", nil), ("", nil)] as [(String, Int?)]
    )
    func retryAfter(header: String, seconds: Int?) {
        #expect(KubeStatus(httpCode: 429, body: [], retryAfter: header, request: "GET /x").retryAfterSeconds == seconds)
    }

    @Test func reasonsOfWatchesAndCreates() {
        #expect(KubeStatus(code: 410, reason: "Expired").isGone)
        #expect(KubeStatus(code: 409, reason: "AlreadyExists").isAlreadyExists)
        #expect(
            KubeStatus(code: 504, reason: "Timeout", causes: [.init(reason: "ResourceVersionTooLarge", message: "", field: "")])
                .isResourceVersionTooLarge)
        #expect(
            KubeStatus(code: 403, reason: "Forbidden", causes: [.init(reason: "NamespaceTerminating", message: "", field: "")])
                .isNamespaceTerminating)
        #expect(KubeStatus(json: ["kind": "Status", "apiVersion": "example.com/v1"]) == nil)
    }
}
