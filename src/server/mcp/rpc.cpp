#include "server/mcp/rpc.hpp"

#include "base/limits.hpp"
#include "model/json_fields.hpp"

#include <algorithm>

namespace dyad::server::mcp {
namespace {

using json::Field;
using json::MemberOf;
using json::Source;

struct Envelope {
    std::optional<std::string> version, method;
    std::string_view id, error;
    std::string params, result;
};

template <auto place>
bool take_member(Field& field, Envelope& envelope) {
    if constexpr (std::is_same_v<decltype(place), std::string_view Envelope::*>)
        return field.raw(envelope.*place);
    else if constexpr (std::is_same_v<decltype(place), std::string Envelope::*>)
        return field.document(envelope.*place);
    else
        return field.into(envelope.*place);
}

constexpr MemberOf<Envelope> kEnvelope[] = {
    {"jsonrpc", take_member<&Envelope::version>}, {"id", take_member<&Envelope::id>},
    {"method", take_member<&Envelope::method>},   {"params", take_member<&Envelope::params>},
    {"result", take_member<&Envelope::result>},   {"error", take_member<&Envelope::error>},
};

// Keeps its parser's memory.
Source& opened(std::string_view text, bool pass_unknown) {
    thread_local Source source;
    source.pass_unknown = pass_unknown;
    source.open(text);
    return source;
}

bool is_id(std::string_view json) {
    return json.starts_with('"') || json.find_first_not_of("-0123456789") == std::string::npos;
}

std::string unquoted(std::string_view json) {
    json::Lexer lexer(json);
    std::string text;
    static_cast<void>(lexer.text(text));
    return text;
}

Refusal refused(const Error& error) {
    const int code = error_row(error.code).mcp_code == kParseError ? kParseError : kInvalidRequest;
    return {400, code, error.detail, {}};
}

Refusal wrong(std::string_view what) {
    return {400, kInvalidRequest, std::string(what), {}};
}

std::variant<Message, Refusal> judge(Envelope&& from) {
    if (from.version != "2.0") return wrong("jsonrpc: must be \"2.0\"");
    if (from.id == "null")
        return wrong("id: must be a string or an integer, or be left out of a notification");
    if (!from.id.empty() && !is_id(from.id)) return wrong("id: must be a string or an integer");
    Message message;
    message.id = from.id;
    if (!from.method) {
        if (message.id.empty() || from.result.empty() == from.error.empty())
            return wrong("a message has a method, or an id and either a result or an error");
        message.kind = Message::Kind::response;
        message.result = std::move(from.result);
        return message;
    }
    if (!from.result.empty() || !from.error.empty())
        return wrong("a message with a method has neither result nor error");
    message.method = *std::move(from.method);
    message.params = from.params.empty() ? "{}" : std::move(from.params);
    if (!message.params.starts_with('{'))
        return Refusal{400, kInvalidParams, "params: must be an object", {}};
    if (message.id.empty()) message.kind = Message::Kind::notification;
    return message;
}

Element read_element(std::string_view text) {
    Source& source = opened(text, false);
    json::Lexer& lexer = source.lexer();
    lexer.skip_space();
    if (lexer.peek() != '{') {
        if (!Field("body", source).skip() || !lexer.finish())
            return {{}, refused(lexer.take_error())};
        return {{}, wrong("the body must be one JSON object")};
    }
    Envelope envelope;
    json::Members members;
    const bool read = json::read_members<kEnvelope>(source, members, envelope) && lexer.finish();
    Element element;
    if (is_id(envelope.id)) element.id = envelope.id;
    if (read)
        element.content = judge(std::move(envelope));
    else
        element.content = refused(lexer.take_error());
    return element;
}

// The elements of a batch, unread. Nothing: the text has an error.
std::optional<std::vector<std::string_view>> split(json::Lexer& lexer) {
    std::vector<std::string_view> all;
    bool more = false;
    lexer.enter(']', more);
    while (more) {
        std::string_view element;
        if (!lexer.raw(element)) return std::nullopt;
        all.push_back(element);
        if (!lexer.leave(']', more)) return std::nullopt;
    }
    if (!lexer.finish()) return std::nullopt;
    return all;
}

template <std::string_view Meta::* place>
bool take_raw(Field& field, Meta& meta) {
    return field.raw(meta.*place);
}
constexpr MemberOf<Meta> kMeta[] = {
    {"io.modelcontextprotocol/clientCapabilities", take_raw<&Meta::capabilities>},
    {"io.modelcontextprotocol/clientInfo", take_raw<&Meta::client_info>},
    {"io.modelcontextprotocol/logLevel", [](Field& f, Meta& to) { return f.into(to.log_level); }},
    {"io.modelcontextprotocol/protocolVersion",
     [](Field& f, Meta& to) { return f.into(to.version); }},
    {"progressToken", take_raw<&Meta::progress_token>},
};

template <auto place>
bool take(Field& field, Params& params) {
    if constexpr (std::is_same_v<decltype(place), std::string_view Params::*>)
        return field.raw(params.*place);
    else
        return field.into(params.*place);
}
constexpr MemberOf<Params> kParams[] = {
    {"_meta",
     [](Field& field, Params& to) {
         const json::Taken<bool> taken = field.object<kMeta>(to.meta.emplace());
         return taken.good && (taken.value || field.wrong("an object"));
     }},
    {"argument", take<&Params::argument>},
    {"arguments", take<&Params::arguments>},
    {"capabilities", take<&Params::capabilities>},
    {"clientInfo", take<&Params::client_info>},
    {"context", take<&Params::context>},
    {"cursor", take<&Params::cursor>},
    {"inputResponses", take<&Params::input_responses>},
    {"name", take<&Params::name>},
    {"notifications", take<&Params::notifications>},
    {"protocolVersion", take<&Params::protocol_version>},
    {"ref", take<&Params::ref>},
    {"requestId", take<&Params::request_id>},
    {"requestState", take<&Params::state>},
    {"uri", take<&Params::uri>},
};

}  // namespace

Body read_body(std::string_view text) {
    json::Lexer lexer(text);
    lexer.skip_space();
    Body body;
    body.is_batch = lexer.peek() == '[';
    if (!body.is_batch) {
        body.elements.push_back(read_element(text));
        return body;
    }
    const auto all = split(lexer);
    if (!all)
        body.elements.push_back({{}, refused(lexer.take_error())});
    else if (all->empty() || all->size() > static_cast<std::size_t>(limits::mcp_batch_messages_max))
        body.elements.push_back(
            {{},
             wrong("a batch has from 1 to " + std::to_string(limits::mcp_batch_messages_max) +
                   " messages (mcp_batch_messages_max)")});
    else
        std::transform(all->begin(), all->end(), std::back_inserter(body.elements), read_element);
    return body;
}

std::string error_text(std::string_view id, const Refusal& refusal) {
    return json::written(256 + refusal.text.size(), [&](json::Writer& out) {
        out.object([&] {
            out.member("jsonrpc", "2.0").member("error").object([&] {
                out.members("code", refusal.code, "message", refusal.text);
                if (!refusal.data.empty()) out.member("data", json::Raw{refusal.data});
            });
            out.member("id", json::Raw{id.empty() ? "null" : id});
        });
    });
}

std::string result_text(std::string_view id, std::string_view result) {
    return json::written(64 + id.size() + result.size(), [&](json::Writer& out) {
        out.object("jsonrpc", "2.0", "id", json::Raw{id}, "result", json::Raw{result});
    });
}

std::string request_text(std::string_view method, std::string_view params, std::string_view id) {
    return json::written(96 + params.size(), [&](json::Writer& out) {
        out.object([&] {
            out.member("jsonrpc", "2.0");
            if (!id.empty()) out.member("id", json::Raw{id});
            out.members("method", method, "params", json::Raw{params});
        });
    });
}

void append_event(std::string& out, std::string_view text, std::string_view event_id) {
    if (!event_id.empty()) out.append("id: ").append(event_id).append("\n");
    out.append("event: message\ndata: ").append(text).append("\n\n");
}

Result<Params> read_params(std::string_view text) {
    Source& source = opened(text, true);
    Result<Params> params{Params{}};
    json::Members members;
    if (!json::read_members<kParams>(source, members, *params))
        params = source.lexer().take_error();
    return params;
}

std::optional<std::vector<std::pair<std::string, std::string_view>>> members_of(
    std::string_view text) {
    json::Lexer lexer(text);
    if (lexer.peek() != '{') return std::nullopt;
    std::vector<std::pair<std::string, std::string_view>> all;
    bool more = false;
    lexer.enter('}', more);
    while (more) {
        auto& member = all.emplace_back();
        if (!lexer.text(member.first) || !lexer.colon() || !lexer.raw(member.second) ||
            !lexer.leave('}', more))
            return std::nullopt;
    }
    return all;
}

std::set<std::string> strings_of(std::string_view text) {
    std::set<std::string> all;
    json::Lexer lexer(text);
    if (lexer.peek() != '[') return all;
    const auto elements = split(lexer);
    for (const std::string_view element : elements.value_or(std::vector<std::string_view>{}))
        if (element.starts_with('"')) all.insert(unquoted(element));
    return all;
}

std::optional<std::string> text_member(std::string_view object, std::string_view name) {
    const auto members = members_of(object);
    if (!members) return std::nullopt;
    for (const auto& [key, value] : *members)
        if (key == name && value.starts_with('"')) return unquoted(value);
    return std::nullopt;
}

}  // namespace dyad::server::mcp
