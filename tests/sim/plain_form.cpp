#include "sim/plain_form.hpp"

#include "base/bytes.hpp"
#include "model/json_text.hpp"

namespace dyad::sim {

std::string plain_form(const EventOrigin& origin, const Change& change) {
    const EventKind kind = kind_of(change);
    std::string out = "{\"offset\":" + std::to_string(origin.offset) + ",\"hash\":\"" +
                      to_hex(std::span(origin.hash).first(8)) +
                      "\",\"timestamp\":" + std::to_string(origin.timestamp_ms) +
                      ",\"eventType\":\"" + std::string(event_type_name(kind)) + "\",\"kind\":\"" +
                      std::string(name_of(kind)) + "\",\"scope\":";
    json::append_string(out, scope_of(change));
    out.append(",\"sourceInstanceId\":");
    json::append_string(out, origin.source_instance_id);
    return out.append(",\"operationId\":\"\",\"data\":").append(encode_change(change)).append("}");
}

std::string plain_form(const EventBatch& event) {
    constexpr std::string_view kBegin = ",\"operationId\":\"";
    std::string text = event.texts;
    const Result<EventView> view = decode_event(text);
    if (!view) return {};
    // The operation ids of the simulation have no escapes.
    const auto data_at = static_cast<std::size_t>(view->data.data() - text.data());
    const std::size_t at = text.rfind(kBegin, data_at) + kBegin.size();
    return text.erase(at, view->operation_id.size());
}

}  // namespace dyad::sim
