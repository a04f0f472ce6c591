// MCP: bodies, params and headers of anybody. What is read can be written and read again as the
// same; what a client carries for the server opens only as it was sealed.
#include "server/mcp/era.hpp"
#include "server/mcp/seal.hpp"

#include <cstdlib>
#include <string>

namespace {

using namespace dyad;
using namespace dyad::server::mcp;

void require(bool condition) {
    if (!condition) std::abort();
}

void check_params(const net::Request& request, const Message& message) {
    const Result<Params> params = read_params(message.params);
    if (!params) return require(!params.error().detail.empty());
    const Era era = era_of(request, params->meta);
    if (params->meta && params->meta->version) require(era == Era::modern);
    if (era == Era::legacy || check_meta(*params)) return;
    const auto refusal = check_headers(request, message.method, *params);
    if (!refusal) return require(*params->meta->version == kModern);
    require(refusal->http_status == 400 && !refusal->text.empty());
    // A refusal is a message, too, whatever it quotes.
    const Body again = read_body(error_text(message.id.empty() ? "1" : message.id, *refusal));
    require(std::holds_alternative<Message>(again.elements.front().content));
}

void check_message(const net::Request& request, const Message& message) {
    if (message.kind == Message::Kind::response) return;
    require(!message.method.empty() || message.params == "{}" || !message.params.empty());
    const Body again = read_body(request_text(message.method, message.params, message.id));
    // A method without a name is no method.
    const auto* same = std::get_if<Message>(&again.elements.front().content);
    require(same != nullptr && same->id == message.id && same->method == message.method &&
            same->params == message.params);
    static_cast<void>(members_of(message.params));
    static_cast<void>(text_member(message.params, "name"));
    static_cast<void>(strings_of(message.params));
    check_params(request, message);
    static_cast<void>(check_param_headers(
        request, R"({"properties":{"a":{"x-mcp-header":"A"},"b":{"x-mcp-header":1}}})",
        message.params));
}

}  // namespace

// The first four lines are headers, the rest is the body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    static const Sealer sealer(nullptr);
    std::string_view rest(reinterpret_cast<const char*>(bytes), size);
    net::Request request;
    for (const char* name : {"mcp-protocol-version", "mcp-method", "mcp-name", "mcp-param-a"}) {
        const std::size_t end = rest.find('\n');
        if (end == std::string_view::npos) break;
        const std::string_view value = rest.substr(0, end);
        if (!value.empty()) request.headers.emplace_back(name, value);
        rest.remove_prefix(end + 1);
        require(!sealer.open("fuzz", value));
        if (const auto decoded = from_base64url(value)) require(to_base64url(*decoded) == value);
    }
    const Body body = read_body(rest);
    require(!body.elements.empty());
    for (const Element& element : body.elements) {
        if (const auto* message = std::get_if<Message>(&element.content))
            check_message(request, *message);
        else
            require(std::get<Refusal>(element.content).code <= kInvalidRequest);
    }
    return 0;
}
