import CCurl
import CShims

// Translates a request into options of a libcurl handle. Called on the engine's thread only.
extension Transfer {
    /// Creates the handle. Throws when libcurl rejects a value of the request.
    func prepare() throws(HTTPTransportError) -> UnsafeMutableRawPointer {
        guard let easy = curl_easy_init() else { throw .invalidRequest("out of memory for a request") }
        self.easy = easy
        var options = CurlOptions(easy: easy)
        options.pointer(CURLOPT_ERRORBUFFER, errorText)
        options.long(CURLOPT_NOSIGNAL, 1)
        options.string(CURLOPT_PROTOCOLS_STR, "http,https")
        options.long(CURLOPT_FOLLOWLOCATION, 0)
        options.long(CURLOPT_PATH_AS_IS, 1)
        options.long(CURLOPT_HTTP_VERSION, Int(isShared ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1))
        // Requests wait until the first connection shows whether it can be shared, instead of opening one each.
        if isShared { options.long(CURLOPT_PIPEWAIT, 1) }
        options.long(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        options.long(CURLOPT_TCP_KEEPALIVE, 1)
        options.long(CURLOPT_TCP_KEEPIDLE, 30)
        options.long(CURLOPT_TCP_KEEPINTVL, 15)
        options.unacknowledgedLimit(seconds: 30)
        // libcurl allocates this buffer for each request: the heap serves a small one, a large one is mapped and unmapped each
        // time.
        options.long(CURLOPT_BUFFERSIZE, isShared ? 16 * 1024 : 64 * 1024)
        options.long(CURLOPT_UPLOAD_BUFFERSIZE, 16 * 1024)
        options.long(CURLOPT_CONNECTTIMEOUT_MS, max(1, Int(request.timeouts.connect * 1000)))
        setMethodAndBody(&options)
        setCallbacks(&options)
        setProxy(&options)
        let hostHeader = setAddressAndTrust(&options)
        setHeaders(&options, host: hostHeader)
        if let failure = options.failure { throw failure }
        return easy
    }

    private func setMethodAndBody(_ options: inout CurlOptions) {
        let takesBody = request.method == "POST" || request.method == "PUT" || request.method == "PATCH"
        if request.body != nil || takesBody {
            options.long(CURLOPT_POST, 1)
            options.off(CURLOPT_POSTFIELDSIZE_LARGE, request.body?.count ?? 0)
            options.string(CURLOPT_CUSTOMREQUEST, request.method)
        } else if request.method == "HEAD" {
            options.long(CURLOPT_NOBODY, 1)
        } else if request.method != "GET" {
            options.string(CURLOPT_CUSTOMREQUEST, request.method)
        }
    }

    private func setCallbacks(_ options: inout CurlOptions) {
        // Not retained: the engine keeps the transfer until libcurl has released the handle.
        let context = Unmanaged.passUnretained(self).toOpaque()
        options.data(CURLOPT_HEADERFUNCTION) { data, size, count, context in
            guard let context, let data else { return 0 }
            let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
            return transfer.receiveHeader(UnsafeRawBufferPointer(start: data, count: size * count))
        }
        options.pointer(CURLOPT_HEADERDATA, context)
        options.data(CURLOPT_WRITEFUNCTION) { data, size, count, context in
            guard let context, let data else { return 0 }
            let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
            return transfer.receiveBody(UnsafeRawBufferPointer(start: data, count: size * count))
        }
        options.pointer(CURLOPT_WRITEDATA, context)
        options.data(CURLOPT_READFUNCTION) { data, size, count, context in
            guard let context, let data else { return Int(CURL_READFUNC_ABORT) }
            let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
            return transfer.sendBody(UnsafeMutableRawBufferPointer(start: data, count: size * count))
        }
        options.pointer(CURLOPT_READDATA, context)
        options.seek { context, offset, origin in
            guard let context, origin == SEEK_SET else { return CURL_SEEKFUNC_FAIL }
            let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
            return transfer.rewind(to: Int(offset)) ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL
        }
        options.pointer(CURLOPT_SEEKDATA, context)
        guard isShared else { return }
        options.start { context, _, _, _, _ in
            guard let context else { return Int32(CURL_PREREQFUNC_ABORT) }
            Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().begin()
            return Int32(CURL_PREREQFUNC_OK)
        }
        options.pointer(CURLOPT_PREREQDATA, context)
    }

    private func setProxy(_ options: inout CurlOptions) {
        if let path = request.unixSocket {
            options.string(CURLOPT_UNIX_SOCKET_PATH, path)
            options.string(CURLOPT_NOPROXY, "*")
            return
        }
        if address.isLoopback {
            options.string(CURLOPT_NOPROXY, "*")
            return
        }
        switch request.proxy {
        case .environment: break
        case .none: options.string(CURLOPT_NOPROXY, "*")
        case .url(let url): options.string(CURLOPT_PROXY, url)
        }
    }

    /// Returns the `Host` header to send when it differs from the host of the URL.
    private func setAddressAndTrust(_ options: inout CurlOptions) -> String? {
        guard address.scheme == "https" else {
            options.string(CURLOPT_URL, request.url)
            return nil
        }
        let tls = request.tls
        var hostHeader: String?
        if let serverName = tls.serverName, !serverName.isEmpty {
            // libcurl verifies the host of the URL. So the URL gets the server name, and the connection is redirected to the real
            // address.
            options.string(CURLOPT_URL, "https://\(serverName):\(address.port)\(address.rest)")
            options.connectTo("\(serverName):\(address.port):\(address.host):\(address.port)")
            hostHeader = address.hostHeader
        } else {
            options.string(CURLOPT_URL, request.url)
        }
        connectList = options.connectList
        options.long(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        options.long(CURLOPT_SSL_VERIFYPEER, tls.insecure ? 0 : 1)
        options.long(CURLOPT_SSL_VERIFYHOST, tls.insecure ? 0 : 2)
        if let authorities = tls.authorities {
            // Otherwise libcurl would also trust the system's directory of certificates.
            options.string(CURLOPT_CAPATH, nil)
            options.pem(authorities, file: CURLOPT_CAINFO, data: CURLOPT_CAINFO_BLOB)
            // By default libcurl keeps parsed authorities for a day, which is too long for a file that is rotated.
            options.long(CURLOPT_CA_CACHE_TIMEOUT, 60)
        }
        if let certificate = tls.clientCertificate {
            options.string(CURLOPT_SSLCERTTYPE, "PEM")
            options.pem(certificate, file: CURLOPT_SSLCERT, data: CURLOPT_SSLCERT_BLOB)
        }
        if let key = tls.clientKey {
            options.string(CURLOPT_SSLKEYTYPE, "PEM")
            options.pem(key, file: CURLOPT_SSLKEY, data: CURLOPT_SSLKEY_BLOB)
        }
        return hostHeader
    }

    private func setHeaders(_ options: inout CurlOptions, host: String?) {
        var lines: [String] = []
        for field in request.headers.fields {
            // For libcurl, `name;` sends an empty value; `name:` would remove the header.
            lines.append(field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)")
        }
        if let host, request.headers["Host"] == nil { lines.append("Host: \(host)") }
        // libcurl would add a form's content type and `Expect: 100-continue`. A name without a value prevents that.
        if request.headers["Content-Type"] == nil { lines.append("Content-Type:") }
        lines.append("Expect:")
        for line in lines {
            guard let list = curl_slist_append(headerList, line) else {
                options.fail(.invalidRequest("out of memory for the headers"))
                return
            }
            headerList = list
        }
        if let headerList { options.list(CURLOPT_HTTPHEADER, headerList) }
    }
}

/// Sets options and remembers the first error.
struct CurlOptions {
    let easy: UnsafeMutableRawPointer
    private(set) var failure: HTTPTransportError?
    /// The caller must free this list after the handle.
    private(set) var connectList: UnsafeMutablePointer<curl_slist>?

    init(easy: UnsafeMutableRawPointer) { self.easy = easy }

    mutating func fail(_ error: HTTPTransportError) { if failure == nil { failure = error } }

    private mutating func check(_ code: CURLcode, _ option: CURLoption) {
        if code != CURLE_OK {
            fail(.invalidRequest("libcurl refuses option \(option.rawValue): \(String(cString: curl_easy_strerror(code)))"))
        }
    }

    mutating func long(_ option: CURLoption, _ value: Int) { check(assay_curl_set_long(easy, option, value), option) }

    mutating func off(_ option: CURLoption, _ value: Int) {
        check(assay_curl_set_off(easy, option, curl_off_t(value)), option)
    }

    mutating func string(_ option: CURLoption, _ value: String?) {
        check(assay_curl_set_string(easy, option, value), option)
    }

    mutating func pointer(_ option: CURLoption, _ value: UnsafeMutableRawPointer) {
        check(assay_curl_set_pointer(easy, option, value), option)
    }

    mutating func list(_ option: CURLoption, _ value: UnsafeMutablePointer<curl_slist>) {
        check(assay_curl_set_list(easy, option, value), option)
    }

    mutating func data(_ option: CURLoption, _ callback: @escaping assay_curl_data_callback) {
        check(assay_curl_set_data_callback(easy, option, callback), option)
    }

    mutating func seek(_ callback: @escaping assay_curl_seek_callback) {
        check(assay_curl_set_seek_callback(easy, callback), CURLOPT_SEEKFUNCTION)
    }

    mutating func start(_ callback: @escaping assay_curl_start_callback) {
        check(assay_curl_set_start_callback(easy, callback), CURLOPT_PREREQFUNCTION)
    }

    mutating func unacknowledgedLimit(seconds: UInt32) {
        check(assay_curl_set_unacknowledged_limit(easy, seconds), CURLOPT_SOCKOPTFUNCTION)
    }

    mutating func pem(_ source: TLSOptions.PEM, file: CURLoption, data: CURLoption) {
        switch source {
        case .file(let path): string(file, path)
        case .data(let bytes): bytes.withUnsafeBytes { check(assay_curl_set_blob(easy, data, $0.baseAddress, $0.count), data) }
        }
    }

    mutating func connectTo(_ rule: String) {
        guard let made = curl_slist_append(connectList, rule) else { return fail(.invalidRequest("out of memory")) }
        connectList = made
        list(CURLOPT_CONNECT_TO, made)
    }
}
