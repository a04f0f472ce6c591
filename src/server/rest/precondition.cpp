// The conditions of a request in its header (RFC 9110 section 13).
#include "base/text.hpp"
#include "net/http_fields.hpp"
#include "server/problem.hpp"
#include "server/rest/call.hpp"

#include <algorithm>
#include <charconv>

namespace dyad::server::rest {
namespace {

// The version that an entity tag stands for; 0: none that was ever given out.
Version version_of(std::string_view tag) {
    const std::string_view digits = tag.substr(1, tag.size() - 2);
    Version version = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), version);
    return tag == entity_tag(version) ? version : 0;
}

Result<std::optional<VersionSet>> versions(const net::Request& request, std::string_view name,
                                           std::string_view shown, bool weak) {
    const net::EntityTags tags = net::entity_tags(request.headers, name);
    if (!tags.present) return std::optional<VersionSet>();
    if (tags.malformed)
        return fail(Errc::invalid_field, std::string(shown) +
                                             ": must be a list of entity tags in quotes, as ETag "
                                             "has them, or * alone");
    VersionSet set{.any = tags.any, .versions = {}};
    for (std::string_view tag : tags.all) {
        if (tag.starts_with("W/")) {
            if (!weak) continue;
            tag.remove_prefix(2);
        }
        if (const Version version = version_of(tag); version != 0) set.versions.push_back(version);
    }
    return std::optional<VersionSet>(std::move(set));
}

// In lower case; empty where there is none.
std::string charset_of(std::string_view content_type) {
    while (!content_type.empty()) {
        const std::size_t end = std::min(content_type.find(';'), content_type.size());
        const std::string_view parameter = trimmed(content_type.substr(0, end));
        content_type.remove_prefix(std::min(end + 1, content_type.size()));
        const std::size_t equals = parameter.find('=');
        if (!net::same_ignoring_case(parameter.substr(0, equals), "charset")) continue;
        std::string value = to_lower(parameter.substr(std::min(equals, parameter.size())));
        std::erase_if(value, [](char c) { return c == '"' || c == '=' || c == ' '; });
        return value;
    }
    return {};
}

}  // namespace

std::string entity_tag(std::uint64_t version) {
    return "\"" + std::to_string(version) + "\"";
}

Status check_content(const net::Request& request) {
    if (net::count_of(request.headers, "content-type") > 1)
        return fail(Errc::invalid_field, "Content-Type: stands twice; send it once");
    if (request.header("content-range"))  // RFC 9110 section 14.5
        return fail(Errc::invalid_field,
                    "Content-Range: no part is taken for the whole; send all of it, or PATCH");
    const std::string charset = charset_of(request.header("content-type").value_or(""));
    if (charset.empty() || charset == "utf-8" || charset == "utf8" || charset == "us-ascii")
        return Done{};
    return fail(Errc::unsupported_media_type,
                "Content-Type: charset: JSON is read as UTF-8 (RFC 8259); send it so");
}

Result<Conditions> conditions_of(const net::Request& request) {
    // Section 13.1.4 lets it be passed over, and what it was to protect would be overwritten.
    if (request.header("if-unmodified-since") && !request.header("if-match"))
        return fail(Errc::invalid_field,
                    "If-Unmodified-Since: two versions may be of one second; name the version: "
                    "If-Match: \"7\"");
    Conditions conditions;
    ASSIGN_OR_RETURN(conditions.match, versions(request, "if-match", "If-Match", false));
    ASSIGN_OR_RETURN(conditions.none_match,
                     versions(request, "if-none-match", "If-None-Match", true));
    return conditions;
}

// Section 13.2.2: If-Match first. A read that cannot be understood is answered whole.
void apply_conditions(const net::Request& request, net::Response& response) {
    const bool reading = request.method == "GET" || request.method == "HEAD";
    const auto tag = std::find_if(response.headers.begin(), response.headers.end(),
                                  [](const auto& header) { return header.first == "ETag"; });
    if (!reading || response.status != 200 || tag == response.headers.end()) return;
    const net::EntityTags match = net::entity_tags(request.headers, "if-match");
    if (match.present && !match.any && !match.has_strong(tag->second)) {
        response = problem(fail(Errc::version_conflict, "If-Match: " + tag->second + " is stored"),
                           request.target, 412);
        return;
    }
    const net::EntityTags none = net::entity_tags(request.headers, "if-none-match");
    if (!none.any && !none.has_weak(tag->second)) return;
    response.status = 304;
    response.content_type.clear();
    response.body.clear();
}

}  // namespace dyad::server::rest
