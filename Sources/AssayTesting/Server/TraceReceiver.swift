import Base
import Glibc
import Subprocess

/// A server for OTLP over HTTP on loopback, in Python: it decodes what it gets with OpenTelemetry's own messages (`opentelemetry-proto` of PyPI), and
/// refuses what they do not know.
public final class TraceReceiver: Sendable {
    /// A span as OpenTelemetry's messages decode it.
    public struct Span: Sendable {
        public let traceID: String
        public let spanID: String
        /// Empty for a root.
        public let parentID: String
        public let name: String
        /// Nanoseconds since 1970.
        public let start: Int
        public let end: Int
        public let attributes: JSONValue
        /// The attributes of the process.
        public let resource: JSONValue
        /// The code and the message of its status; nil when it has none.
        public let failure: String?
    }

    public let port: Int
    private let directory: String
    private let process: RunningCommand

    /// - Parameters:
    ///   - directory: for its files; created when missing. The caller must remove it.
    ///   - authorization: the value that each request's header must have; nil: any.
    public init(directory: String, authorization: String? = nil) async throws {
        self.directory = directory
        port = try freePorts(1)[0]
        try Directory.make(directory)
        try FileWriting.write(Self.program.utf8, to: "\(directory)/receiver.py")
        let log = Locked<[UInt8]>([])
        process = try RunningCommand.start(
            Command("python3", ["\(directory)/receiver.py", "\(port)", "\(directory)/spans", authorization ?? ""], environment: .inherit),
            onStdout: { bytes in log.withLock { $0 += bytes } }, onStderr: { bytes in log.withLock { $0 += bytes } })
        let serves = await eventually(within: 60) { log.withLock { String(decoding: $0, as: UTF8.self) }.contains("serving") }
        guard serves else { throw ServerFailure("the receiver of traces: \(log.withLock { String(decoding: $0, as: UTF8.self) })") }
    }

    deinit { process.signal(SIGKILL) }

    public var url: String { "http://127.0.0.1:\(port)" }

    public func stop() async {
        process.signal(SIGKILL)
        _ = await process.wait()
    }

    /// Why requests were refused.
    public func refusals() throws -> [String] { try lines().compactMap { $0["refused"]?.string } }

    /// All spans so far, in the order of their arrival.
    public func spans() throws -> [Span] {
        try lines().filter { $0["refused"] == nil }.map { line in
            Span(
                traceID: line["trace"]?.string ?? "", spanID: line["span"]?.string ?? "", parentID: line["parent"]?.string ?? "",
                name: line["name"]?.string ?? "", start: line["start"]?.int ?? 0, end: line["end"]?.int ?? 0, attributes: line["attributes"] ?? [:],
                resource: line["resource"] ?? [:], failure: line["failure"]?.string)
        }
    }

    private func lines() throws -> [JSONValue] {
        guard let text = FileReading.whole("\(directory)/spans") else { return [] }
        return try String(decoding: text, as: UTF8.self).split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
    }

    private static let program = #"""
        import base64, json, sys
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
        from google.protobuf import json_format
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service

        port, path, authorization = int(sys.argv[1]), sys.argv[2], sys.argv[3]

        # OTLP's JSON has ids in hex; protobuf's has bytes in base64.
        def ids(value):
            if isinstance(value, list):
                return [ids(item) for item in value]
            if not isinstance(value, dict):
                return value
            out = {}
            for name, item in value.items():
                if name in ("traceId", "spanId", "parentSpanId"):
                    size = 16 if name == "traceId" else 8
                    raw = bytes.fromhex(item)
                    if len(raw) != size or raw == bytes(size) or item != item.lower():
                        raise ValueError(f"{name} is {item!r}")
                    item = base64.b64encode(raw).decode()
                out[name] = ids(item)
            return out

        def plain(attributes):
            return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in attributes}

        def decode(body):
            request = json_format.Parse(json.dumps(ids(json.loads(body))), service.ExportTraceServiceRequest())
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        yield {
                            "trace": span.trace_id.hex(), "span": span.span_id.hex(), "parent": span.parent_span_id.hex(), "name": span.name,
                            "start": span.start_time_unix_nano, "end": span.end_time_unix_nano, "attributes": plain(span.attributes),
                            "resource": plain(resource.resource.attributes),
                            **({"failure": f"{span.status.code} {span.status.message}"} if span.status.code else {}),
                        }

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    if self.path != "/v1/traces" or self.headers["Content-Type"] != "application/json":
                        raise ValueError(f"{self.path} {self.headers['Content-Type']}")
                    if authorization and self.headers["Authorization"] != authorization:
                        raise ValueError("no authorization")
                    lines, status = list(decode(body)), 200
                except Exception as error:
                    lines, status = [{"refused": repr(error)}], 400
                with open(path, "a") as file:
                    file.write("".join(json.dumps(line) + "\n" for line in lines))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *words):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        print("serving", flush=True)
        server.serve_forever()
        """#
}
