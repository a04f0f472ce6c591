#include "server/mcp/era.hpp"

#include "base/bytes.hpp"
#include "base/text.hpp"
#include "model/json.hpp"
#include "net/http_fields.hpp"
#include "server/mcp/seal.hpp"

#include <algorithm>

namespace dyad::server::mcp {
namespace {

constexpr std::string_view kVersionHeader = "mcp-protocol-version";
constexpr std::string_view kOldest =
    "2024-11-05";  // another transport, of which only the date is known

Refusal mismatch(std::string text) {
    return {400, kHeaderMismatch, std::move(text), {}};
}

// Whether the header is there once and says `wanted`.
std::optional<Refusal> check_header(const net::Request& request, std::string_view shown_name,
                                    std::string_view wanted, std::string_view what) {
    const std::string name = to_lower(shown_name);
    const std::string head = std::string(shown_name) + ": ";
    if (net::count_of(request.headers, name) != 1)
        return mismatch(head + "must be there once, and say what " + std::string(what) + " says");
    const auto value = header_value(*request.header(name));
    if (!value) return mismatch(head + "is not of the form =?base64?…?=");
    if (*value != wanted)
        return mismatch(head + "\"" + shown(*value) + "\" is not what " + std::string(what) +
                        " says: \"" + shown(wanted) + "\"");
    return std::nullopt;
}

// As a header carries the value of a parameter; nothing where it is of no simple type.
std::optional<std::string> as_header(const json::Value& value) {
    if (value.is_string()) return std::string(value.get_string());
    if (value.is_structured() || value.is_null()) return std::nullopt;
    return json::canonical(value);
}

}  // namespace

bool is_legacy(std::string_view version) {
    return std::find(kLegacy.begin(), kLegacy.end(), version) != kLegacy.end();
}

std::string_view negotiated(std::string_view asked) {
    const auto at = std::find(kLegacy.begin(), kLegacy.end(), asked);
    return at != kLegacy.end() ? *at : kLegacy.front();
}

Era era_of(const net::Request& request, const std::optional<Meta>& meta) {
    if (meta && meta->version) return Era::modern;
    const auto header = request.header(kVersionHeader);
    const std::string_view version = trimmed(header.value_or(""));
    return !header || is_legacy(version) || version == kOldest ? Era::legacy : Era::modern;
}

std::optional<std::string> header_value(std::string_view value) {
    constexpr std::string_view kOpen = "=?base64?", kClose = "?=";
    value = trimmed(value);
    if (value.size() < kOpen.size() + kClose.size() ||
        !net::same_ignoring_case(value.substr(0, kOpen.size()), kOpen) || !value.ends_with(kClose))
        return std::string(value);
    value.remove_prefix(kOpen.size());
    value.remove_suffix(kClose.size());
    return from_base64(value);
}

std::optional<Refusal> check_meta(const Params& params) {
    const auto missing = [](std::string_view what) {
        return Refusal{400,
                       kInvalidParams,
                       "params._meta: every request names " + std::string(what) +
                           " (or begins with initialize, and speaks a revision with sessions)",
                       {}};
    };
    if (!params.meta || !params.meta->version)
        return missing("io.modelcontextprotocol/protocolVersion");
    if (!params.meta->capabilities.starts_with('{'))
        return missing("io.modelcontextprotocol/clientCapabilities, an object");
    return std::nullopt;
}

std::optional<Refusal> check_headers(const net::Request& request, std::string_view method,
                                     const Params& params) {
    const std::string& version = *params.meta->version;
    if (auto bad = check_header(request, "MCP-Protocol-Version", version, "params._meta"))
        return bad;
    if (auto bad = check_header(request, "Mcp-Method", method, "method")) return bad;
    const bool by_uri = method == "resources/read";
    const auto& name = by_uri ? params.uri : params.name;
    if (name && (by_uri || method == "tools/call" || method == "prompts/get"))
        if (auto bad =
                check_header(request, "Mcp-Name", *name, by_uri ? "params.uri" : "params.name"))
            return bad;
    if (version == kModern) return std::nullopt;
    return Refusal{400, kUnsupportedVersion,
                   "MCP-Protocol-Version: this server does not speak this revision here; those "
                   "before 2026-07-28 begin with initialize",
                   json::written(128, [&](json::Writer& out) {
                       out.object("supported", json::Raw{kSupported}, "requested", version);
                   })};
}

std::optional<Refusal> check_param_headers(const net::Request& request, std::string_view schema,
                                           std::string_view arguments) {
    if (schema.find("\"x-mcp-header\"") == std::string_view::npos) return std::nullopt;
    const auto wanted = json::parse(schema);
    const auto given = json::parse(arguments);
    if (!wanted || !given || !given->is_object()) return std::nullopt;
    const auto* const properties = wanted->get_object().if_contains("properties");
    if (properties == nullptr || !properties->is_object()) return std::nullopt;
    for (const auto& [name, property] : properties->get_object()) {
        const auto* const suffix =
            property.is_object() ? property.get_object().if_contains("x-mcp-header") : nullptr;
        if (suffix == nullptr || !suffix->is_string()) continue;
        const std::string header = "Mcp-Param-" + std::string(suffix->get_string());
        const auto* const value = given->get_object().if_contains(name);
        const auto text = value != nullptr ? as_header(*value) : std::nullopt;
        const std::string what = "params.arguments." + std::string(name);
        if (text) {
            if (auto bad = check_header(request, header, *text, what)) return bad;
        } else if (net::count_of(request.headers, to_lower(header)) != 0) {
            return mismatch(header + ": is there, but " + what + " has no value");
        }
    }
    return std::nullopt;
}

}  // namespace dyad::server::mcp
