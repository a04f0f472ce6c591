// JSON-RPC 2.0 as MCP narrows it: messages out of text, refusals into text. Strict: what two
// readers could take for different things is refused (model/json.hpp).
//
// Threads: pure functions.
#pragma once

#include "base/result.hpp"
#include "model/json_text.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace dyad::server::mcp {

// Codes of JSON-RPC and of the protocol.
inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kInternalError = -32603;
inline constexpr int kResourceNotFound = -32002;  // revisions with sessions only
inline constexpr int kHeaderMismatch = -32020;
inline constexpr int kMissingCapability = -32021;
inline constexpr int kUnsupportedVersion = -32022;

struct Message {
    enum class Kind : std::uint8_t { request, notification, response };
    Kind kind = Kind::request;
    std::string id;      // JSON: a string or an integer; of a notification: empty
    std::string method;  // of a response: empty
    std::string params;  // canonical JSON of an object; "{}" where there were none
    std::string result;  // of a response: canonical JSON; empty where it is an error
};

// A message or a request that is refused.
struct Refusal {
    int http_status = 400;
    int code = kInvalidRequest;
    std::string text;  // one plain sentence: what is wrong, what to do
    std::string data;  // JSON; empty: none
};

// An element of a body: what it says, or why it says nothing. `id`: as far as it can be told.
struct Element {
    std::string id;
    std::variant<Message, Refusal> content;
};
struct Body {
    bool is_batch = false;
    std::vector<Element> elements;  // never empty
};
Body read_body(std::string_view text);

// {"jsonrpc":"2.0","error":{…},"id":…}; an empty id is null.
std::string error_text(std::string_view id, const Refusal& refusal);
// {"jsonrpc":"2.0","id":…,"result":<result>}
std::string result_text(std::string_view id, std::string_view result);
// {"jsonrpc":"2.0","method":…,"params":<params>}, with `id` a request.
std::string request_text(std::string_view method, std::string_view params,
                         std::string_view id = {});
// The text as one event of a stream.
void append_event(std::string& out, std::string_view text, std::string_view event_id = {});

// What `params` say that more than one method reads. Slices of the text, as JSON where not said
// otherwise; `data() == nullptr`: it is not there.
struct Meta {
    std::optional<std::string> version;  // text
    std::string_view capabilities;
    std::string_view client_info;
    std::optional<std::string> log_level;  // text
    std::string_view progress_token;
};
struct Params {
    std::optional<Meta> meta;
    std::optional<std::string> name;  // text, as uri, cursor and state
    std::optional<std::string> uri;
    std::optional<std::string> cursor;
    std::optional<std::string> state;
    std::optional<std::string> protocol_version;  // text
    std::string_view arguments;
    std::string_view input_responses;
    std::string_view notifications;
    std::string_view capabilities;
    std::string_view client_info;
    std::string_view request_id;
    std::string_view ref;
    std::string_view argument;
    std::string_view context;
};
// Lifetime: within that of `text`. Errors: invalid_field, naming the member.
Result<Params> read_params(std::string_view text);

// The members of an object, in their order: names as text, values as JSON. Nothing where it is
// none. Requires: `text` is JSON.
std::optional<std::vector<std::pair<std::string, std::string_view>>> members_of(
    std::string_view text);
// The strings of an array; what else stands there is passed over. Requires: as members_of.
std::set<std::string> strings_of(std::string_view text);
// A member that is a string. Requires: as members_of.
std::optional<std::string> text_member(std::string_view object, std::string_view name);

}  // namespace dyad::server::mcp
