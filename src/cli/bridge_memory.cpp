#include "cli/bridge_memory.hpp"

#include "cli/text.hpp"

namespace dyad::cli {
namespace {

// Errors: unavailable for what may succeed later.
Error error_of(const Failure& failure) {
    const bool later = failure.exit == Exit::unreachable || is_true(failure.problem, "retry") ||
                       failure.code == "private_mode";  // which is left again
    if (later) return fail(Errc::unavailable, failure.message);
    // It is not there any more, or another write had this id: what is stored must be read again.
    if (failure.code == "not_found" || failure.code == "operation_reused")
        return fail(Errc::version_conflict, failure.message);
    return fail(error_by_name(failure.code).value_or(Errc::invalid_field), failure.message);
}

Status outcome_of(const Answer& answer) {
    if (answer || answer.failure->code == "already_applied") return Done{};
    return error_of(*answer.failure);
}

Headers if_match(std::int64_t version) {
    return {{"If-Match", "\"" + std::to_string(version) + "\""}};
}

}  // namespace

Result<std::optional<SharedText>> ContextMemory::read(const std::string& key) {
    const Answer answer = client_.get(context_path(key));
    if (!answer && answer.failure->code == "not_found") return std::optional<SharedText>();
    if (!answer) return error_of(*answer.failure);
    const json::Value& text = at(answer.value, "data/text");
    if (!text.is_string())
        return fail(Errc::invalid_field,
                    "the context \"" + key + "\" has no text: its data.text must be a string");
    return std::optional(
        SharedText{std::string(text.get_string()), integer_at(answer.value, "version")});
}

Status ContextMemory::write(const std::string& key, const std::string& text, std::int64_t version,
                            const std::string& operation) {
    boost::json::object data{{"text", text}};
    const std::string patch = json::canonical(data);
    if (std::cmp_greater(patch.size(), limits::document_bytes_max))
        return fail(Errc::too_large, "what is to be shared has " + std::to_string(patch.size()) +
                                         " bytes as JSON; document_bytes_max allows " +
                                         std::to_string(limits::document_bytes_max));
    Headers headers;
    if (version > 0) headers = if_match(version);
    headers.emplace_back("Idempotency-Key", operation);
    if (version > 0) {
        headers.emplace_back("Content-Type", "application/merge-patch+json");
        return outcome_of(client_.write("PATCH", context_path(key), patch, headers));
    }
    const boost::json::object body{{"data", std::move(data)},
                                   {"contextType", "project"},
                                   {"tags", {"bridge"}},
                                   {"expectedVersion", 0},
                                   {"ttlDays", 0}};
    return outcome_of(client_.write("PUT", context_path(key), json::canonical(body), headers));
}

Status ContextMemory::remove(const std::string& key, std::int64_t version) {
    return outcome_of(client_.write("DELETE", context_path(key), "", if_match(version)));
}

Result<SharedFiles> shared_files(RestClient& client, const std::string& prefix) {
    const Answer answer = client.get_list(with_query("contexts", {{"prefix", prefix}}), "contexts",
                                          limits::page_items_max, "cursor");
    if (!answer) return error_of(*answer.failure);
    SharedFiles out;
    for (const json::Value& context : list_at(answer.value, "contexts"))
        out.keys.push_back(text_at(context, "contextKey"));
    const std::string position = text_at(answer.value, "position");
    std::string_view epoch = position;
    out.log = take_part(epoch, '.');
    return out;
}

}  // namespace dyad::cli
