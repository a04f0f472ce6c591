// /responses: the glass box.
#include "base/sha256.hpp"
#include "model/change.hpp"
#include "model/json.hpp"
#include "server/rest/call.hpp"

namespace dyad::server::rest {
namespace {

using boost::json::object;

constexpr std::string_view kSourceMembers[] = {
    "sourceType",   "provider",    "model",        "confidence", "responseHash",
    "mcpToolsUsed", "inputTokens", "outputTokens", "costUsd",    "timestamp"};

// Fills in what a client may leave out of a source: the hash where it sent the text, which is not
// kept; the time is the event's then.
Status complete_source(object& source, const std::string& prefix) {
    if (const auto* text = source.if_contains("responseText")) {
        if (!text->is_string())
            return fail(Errc::invalid_field, prefix + "responseText: must be a string");
        const auto& bytes = text->get_string();
        const std::string hash = to_hex(sha256({std::string_view(bytes.data(), bytes.size())}));
        source.erase("responseText");
        source["responseHash"] = hash;
    }
    if (!source.contains("timestamp")) source["timestamp"] = 0;  // the event's
    for (const char* name : {"provider", "model", "responseHash", "sourceType"})
        if (!source.contains(name))
            return fail(Errc::missing_field, prefix + name + ": is required" +
                                                 (std::string_view(name) == "responseHash"
                                                      ? " (or responseText, to have it hashed)"
                                                      : ""));
    return Done{};
}

void record(const CallPtr& call) {
    Result<object> body = call->body();
    if (!body) return call->problem(body.error());
    // The final answer's members stand at the top, as in the documents of existing instances.
    object final;
    if (auto* given = body->if_contains("final")) {
        if (!given->is_object())
            return call->problem(fail(Errc::invalid_field, "final: must be a JSON object"));
        final = given->get_object();
    } else {
        for (const std::string_view name : kSourceMembers)
            if (const auto* value = body->if_contains(name)) final[name] = *value;
        if (const auto* text = body->if_contains("responseText")) final["responseText"] = *text;
    }
    if (const Status complete = complete_source(final, ""); !complete)
        return call->problem(complete.error());
    boost::json::array sources;
    if (auto* given = body->if_contains("sources")) {
        if (!given->is_array())
            return call->problem(fail(Errc::invalid_field, "sources: must be an array"));
        sources = given->get_array();
        std::size_t number = 0;
        for (auto& source : sources) {
            const std::string prefix = "sources." + std::to_string(number++) + ".";
            if (!source.is_object())
                return call->problem(
                    fail(Errc::invalid_field, "sources: each must be a JSON object"));
            if (const Status complete = complete_source(source.get_object(), prefix); !complete)
                return call->problem(complete.error());
        }
    }
    object response;
    for (const char* name : {"chatId", "messageId", "mode", "metadata"})
        if (const auto* value = body->if_contains(name)) response[name] = *value;
    response["timestamp"] = 0;  // the event's: a request that is sent again is the same
    response["final"] = std::move(final);
    response["sources"] = std::move(sources);
    object fields;
    fields["op"] = "response.record";
    fields["response"] = std::move(response);
    call->submit(std::move(fields), [call](const Reply& reply) { call->written(reply, 201); });
}

}  // namespace

void responses(const CallPtr& call) {
    const std::string& method = call->request().method;
    if (call->segments.size() != 1)
        return call->problem(fail(Errc::not_found, "there is no such path"));
    if (method == "POST") return record(call);
    if (method != "GET" && method != "HEAD") return wrong_method(call, "GET, HEAD, POST");
    if (const Status known = call->check_query({"chat", "message", "provider", "before", "limit"});
        !known)
        return call->problem(known.error());
    const Result<PageRequest> page = call->page();
    if (!page) return call->problem(page.error());
    const ResponseFilter filter{call->query("chat"), call->query("message"),
                                call->query("provider")};
    call->node().store().responses(
        call->user(), filter, *page,
        [call, limit = page->limit](Result<std::vector<ResponseRecord>> records) {
            if (!records) return call->problem(records.error());
            call->page_of("responses", *records, limit, write_response);
        });
}

}  // namespace dyad::server::rest
