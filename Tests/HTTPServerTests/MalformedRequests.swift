// The table of malformed and hostile requests, used on the parser in all splits and on a server over sockets.
import Testing

struct MalformedRequest: Sendable, CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    let status: Int
    var testDescription: String { name }

    init(_ name: String, _ text: String, _ status: Int) {
        self.init(name, Array(text.utf8), status)
    }

    init(_ name: String, _ bytes: [UInt8], _ status: Int) {
        self.name = name
        self.bytes = bytes
        self.status = status
    }

    private static let get = "GET /hello HTTP/1.1\r\nHost: a\r\n"
    private static let post = "POST /echo HTTP/1.1\r\nHost: a\r\n"
    private static let chunked = post + "Transfer-Encoding: chunked\r\n\r\n"

    static let all: [MalformedRequest] = requestLines + fields + framing + chunks + sizes

    static let requestLines: [MalformedRequest] = [
        .init("no version", "GET /hello\r\nHost: a\r\n\r\n", 400),
        .init("two spaces before the target", "GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("two spaces before the version", "GET /hello  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("space after the version", "GET /hello HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
        .init("tab between the parts", "GET\t/hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("leading space", " GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("three empty lines before", "\r\n\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("bare line feed after the request line", "GET /hello HTTP/1.1\nHost: a\r\n\r\n", 400),
        .init("bare carriage return in the request line", "GET /hello HTTP/1.1\rHost: a\r\n\r\n", 400),
        .init("HTTP/2.0", "GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        .init("HTTP/9.9", "GET /hello HTTP/9.9\r\nHost: a\r\n\r\n", 505),
        .init("HTTP/0.9 spelled out", "GET /hello HTTP/0.9\r\nHost: a\r\n\r\n", 505),
        .init("HTTP/1.10", "GET /hello HTTP/1.10\r\nHost: a\r\n\r\n", 400),
        .init("http/1.1 in lower case", "GET /hello http/1.1\r\nHost: a\r\n\r\n", 400),
        .init("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        .init("TLS client hello", [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00], 400),
        .init("method with a parenthesis", "G(T /hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init(
            "method of 40 letters", String(repeating: "M", count: 40) + " / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        .init("CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        .init("target without a slash", "GET hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("asterisk with GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("absolute target of another scheme", "GET ftp://a/hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init(
            "absolute target with user information", "GET http://u@a/hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("absolute target without authority", "GET http:///hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init(
            "NUL in the target", Array("GET /he".utf8) + [0] + Array("llo HTTP/1.1\r\nHost: a\r\n\r\n".utf8),
            400),
        .init("raw UTF-8 in the target", "GET /hellö HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("fragment", "GET /hello#x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("backslash", "GET /hello\\x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("%00 in the path", "GET /hello%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("%00 in the query", "GET /hello?a=%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("%0d%0a in the path", "GET /hello%0d%0aX:y HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("%zz", "GET /hello%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("% at the end", "GET /hello% HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("%2 at the end", "GET /hello%2 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("invalid UTF-8 after decoding", "GET /hello%ff%fe HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("overlong UTF-8", "GET /hello/%c0%ae%c0%ae/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("dot segments", "GET /a/../hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("dot segment at the end", "GET /hello/.. HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("single dot", "GET /./hello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("encoded dot segments", "GET /%2e%2e/%2E%2e/etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("encoded slash around dots", "GET /a%2f..%2fhello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("encoded backslash around dots", "GET /a%5c..%5chello HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        .init("% in the query", "GET /hello?x=%g1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ]

    static let fields: [MalformedRequest] = [
        .init("no Host", "GET /hello HTTP/1.1\r\n\r\n", 400),
        .init("two Hosts", "GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        .init("Host with a path", "GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        .init("Host with a space", "GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        .init("Host with two ports", "GET /hello HTTP/1.1\r\nHost: a:1:2\r\n\r\n", 400),
        .init("Host list", "GET /hello HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
        .init("folded field", get + "X: a\r\n b\r\n\r\n", 400),
        .init("folded first field", "GET /hello HTTP/1.1\r\n Host: a\r\n\r\n", 400),
        .init("folded with a tab", get + "X: a\r\n\tb\r\n\r\n", 400),
        .init("bare line feed between fields", "GET /hello HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
        .init("bare line feed at the end", get + "\n", 400),
        .init("bare line feeds only", "GET /hello HTTP/1.1\nHost: a\n\n", 400),
        .init("bare carriage return in a value", get + "X: a\rb\r\n\r\n", 400),
        .init("two carriage returns", get + "X: a\r\r\n\r\n", 400),
        .init("NUL in a value", Array((get + "X: a").utf8) + [0] + Array("\r\n\r\n".utf8), 400),
        .init("escape character in a value", get + "X: \u{1b}[2J\r\n\r\n", 400),
        .init("DEL in a value", get + "X: \u{7f}\r\n\r\n", 400),
        .init("space before the colon", get + "X : b\r\n\r\n", 400),
        .init("tab before the colon", get + "X\t: b\r\n\r\n", 400),
        .init("no colon", get + "X\r\n\r\n", 400),
        .init("empty name", get + ": b\r\n\r\n", 400),
        .init("name with a slash", get + "X/Y: b\r\n\r\n", 400),
        .init("name with a non-ASCII letter", get + "Xö: b\r\n\r\n", 400),
    ]

    static let framing: [MalformedRequest] = [
        .init(
            "length and chunked", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400),
        .init(
            "chunked and length", post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            400),
        .init("two different lengths", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
        .init("two equal lengths", post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
        .init("list of lengths", post + "Content-Length: 5, 5\r\n\r\nhello", 400),
        .init("length +5", post + "Content-Length: +5\r\n\r\nhello", 400),
        .init("length -1", post + "Content-Length: -1\r\n\r\n", 400),
        .init("length 0x5", post + "Content-Length: 0x5\r\n\r\nhello", 400),
        .init("length 5.0", post + "Content-Length: 5.0\r\n\r\nhello", 400),
        .init("length with a space inside", post + "Content-Length: 1 2\r\n\r\nhello", 400),
        .init("empty length", post + "Content-Length:\r\n\r\n", 400),
        .init("length beyond 64 bits", post + "Content-Length: 99999999999999999999\r\n\r\n", 400),
        .init("length with a space before the colon", post + "Content-Length : 5\r\n\r\nhello", 400),
        .init("gzip, chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        .init("identity", post + "Transfer-Encoding: identity\r\n\r\n", 501),
        .init("xchunked", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        .init("empty coding", post + "Transfer-Encoding:\r\n\r\n", 501),
        .init("chunked twice", post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501),
        .init(
            "two codings fields",
            post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400),
        .init(
            "chunked in HTTP/1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ]

    static let chunks: [MalformedRequest] = [
        .init("chunk size +5", chunked + "+5\r\nhello\r\n0\r\n\r\n", 400),
        .init("chunk size -1", chunked + "-1\r\nhello\r\n0\r\n\r\n", 400),
        .init("chunk size 0x5", chunked + "0x5\r\nhello\r\n0\r\n\r\n", 400),
        .init("chunk size with a space before", chunked + " 5\r\nhello\r\n0\r\n\r\n", 400),
        .init("chunk size with a space after", chunked + "5 \r\nhello\r\n0\r\n\r\n", 400),
        .init("empty chunk size", chunked + "\r\nhello\r\n0\r\n\r\n", 400),
        .init("chunk size g", chunked + "g\r\nhello\r\n0\r\n\r\n", 400),
        .init("chunk size of 18 Fs", chunked + "FFFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n", 400),
        .init("chunk size of 16 Fs", chunked + "FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n", 400),
        .init("chunk size 7fffffffffffffff", chunked + "7fffffffffffffff\r\nhello\r\n0\r\n\r\n", 400),
        .init("chunk size of 16 zeros and a five", chunked + "00000000000000005\r\nhello\r\n0\r\n\r\n", 400),
        .init("chunk size line with a bare line feed", chunked + "5\nhello\r\n0\r\n\r\n", 400),
        .init("chunk data too long", chunked + "5\r\nhello!\r\n0\r\n\r\n", 400),
        .init("chunk data with a bare line feed", chunked + "5\r\nhello\n0\r\n\r\n", 400),
        .init("no CRLF after chunk data", chunked + "5\r\nhello0\r\n\r\n", 400),
        .init(
            "NUL in a chunk extension", Array((chunked + "5;a=").utf8) + [0] + Array("\r\nhello".utf8), 400),
        .init("line feed in a chunk extension", chunked + "5;a\nb\r\nhello\r\n0\r\n\r\n", 400),
        .init("endless chunk extension", chunked + "5;" + String(repeating: "a", count: 5000), 400),
        .init("folded trailer", chunked + "0\r\nX: a\r\n b\r\n\r\n", 400),
        .init("trailer without a colon", chunked + "0\r\nX\r\n\r\n", 400),
        .init("bare line feed after the trailers", chunked + "0\r\n\n", 400),
    ]

    static let sizes: [MalformedRequest] = [
        .init(
            "a target of 9 KB",
            "GET /" + String(repeating: "a", count: 9000) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        .init("a megabyte without any space", String(repeating: "G", count: 1_000_000), 501),
        .init("a value of 1 MB", get + "X: " + String(repeating: "a", count: 1_000_000) + "\r\n\r\n", 431),
        .init("a name of 1 MB", get + String(repeating: "a", count: 1_000_000) + ": b\r\n\r\n", 431),
        .init("101 fields", get + String(repeating: "X: y\r\n", count: 100) + "\r\n", 431),
        .init(
            "fields of 33 KB in all",
            get + String(repeating: "X: \(String(repeating: "a", count: 990))\r\n", count: 34) + "\r\n", 431),
        .init("101 trailers", chunked + "0\r\n" + String(repeating: "X: y\r\n", count: 101) + "\r\n", 431),
        .init(
            "a trailer of 1 MB", chunked + "0\r\nX: " + String(repeating: "a", count: 1_000_000) + "\r\n\r\n",
            431),
    ]
}
