#include "support/sample_log.hpp"

#include <algorithm>
#include <cstring>

namespace dyad::test {

std::uint64_t SeededRandom::next() {  // SplitMix64
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

void SeededRandom::fill(std::span<std::uint8_t> out) {
    for (std::size_t at = 0; at < out.size(); at += 8) {
        const std::uint64_t word = next();
        std::memcpy(out.data() + at, &word, std::min<std::size_t>(8, out.size() - at));
    }
}

bool SeededRandom::chance(double probability) {
    return static_cast<double>(next() >> 11) < probability * static_cast<double>(1ULL << 53);
}

SampleLog::SampleLog(std::string user, Random& random, Shape shape)
    : user_(std::move(user)),
      random_(random),
      shape_(shape),
      head_(first_head(user_, kSampleSeed)) {}

AppendRequest SampleLog::draft(std::size_t events) {
    AppendRequest request;
    request.user_id = user_;
    auto batch = std::make_shared<EventBatch>();
    LogHead head = head_;
    State state = state_;
    for (std::size_t i = 0; i < events; ++i) {
        now_ms += static_cast<std::int64_t>(random_.below(20));
        Change change = next_change(state, head.offset + 1);
        fold(state, change);
        const std::string data = encode_change(change);
        const std::string scope = scope_of(change);
        // Counted apart from the log: a draft that was refused is not the same operation again.
        const std::string operation = "op-" + std::to_string(++operation_);
        EventDraft draft{.kind = kind_of(change),
                         .scope = scope,
                         .source_instance_id = "vscode-1",
                         .operation_id = operation,
                         .data = data,
                         .fingerprint = random_.next_u64(),
                         .timestamp_ms = now_ms};
        random_.fill(draft.salt);
        append_event(*batch, head, draft);
        request.changes.push_back(std::move(change));
    }
    request.batch = std::move(batch);
    return request;
}

OperationId SampleLog::operation_at(Offset offset) const {
    Result<EventView> event = decode_event(texts_[offset - 1]);
    CHECK(event.has_value());
    return {std::move(event->source_instance_id), std::move(event->operation_id)};
}

void SampleLog::take(const EventBatch& batch, const std::vector<Change>& changes) {
    for (std::size_t i = 0; i < changes.size(); ++i) {
        const Offset offset = batch.first + i;
        texts_.emplace_back(batch.text(offset));
        operations_.push_back(batch.entries[i].operation_key);
        fold(state_, changes[i]);
        if (const auto* mode = std::get_if<ModeChange>(&changes[i])) {
            transitions_.emplace_back(offset, mode->state);
        } else if (const auto* response = std::get_if<ResponseChange>(&changes[i])) {
            const ResponseRecord& record = response->record;
            const auto [at, fresh] =
                responses_.try_emplace({record.chat_id, record.message_id}, record);
            if (!fresh) at->second = merge_responses(at->second, record);
            at->second.offset = offset;
        }
    }
    head_ = batch.head();
}

Change SampleLog::next_change(const State& state, Offset offset) {
    const std::uint64_t kind = shape_.only_contexts ? 0 : random_.below(10);
    if (kind == 9 && offset % 2 == 0) return next_claim(state, offset);
    if (kind == 9) return McpChange{EventKind::mcp_tool_executed, "{\"tool\":\"search\"}"};
    if (kind == 8) return next_response(offset);
    if (kind == 7) return next_mode(state);
    return next_context(state, offset);
}

ContextChange SampleLog::next_context(const State& state, Offset offset) {
    auto context = std::make_shared<Context>();
    context->key = "project:" + std::to_string(random_.below(shape_.keys));
    const ContextPtr before = state.find(context->key);
    ContextChange change;
    change.previous_version = before ? before->version : 0;
    context->version = change.previous_version + 1;
    context->offset = offset;
    context->type = ContextType::project;
    context->created_by = before ? before->created_by : "vscode-1";
    context->last_modified_by = "vscode-1";
    context->created_at_ms = before ? before->created_at_ms : now_ms;
    context->updated_at_ms = now_ms;
    context->deleted = before && !before->deleted && random_.below(8) == 0;
    change.action = context->deleted             ? ContextAction::deleted
                    : !before || before->deleted ? ContextAction::created
                                                 : ContextAction::updated;
    context->data = "null";
    if (!context->deleted) {
        const std::size_t bytes = shape_.data_bytes / 2 + random_.below(shape_.data_bytes + 1);
        std::string name = user_;
        std::replace(name.begin(), name.end(), '"', '\'');
        context->data = "{\"note\":\"word" + std::to_string(offset) + " of " + name + " " +
                        std::string(bytes, 'x') + "\"}";
        context->tags = {"sample"};
        if (random_.below(2) == 0)
            context->expires_at_ms = now_ms + static_cast<std::int64_t>(random_.below(100'000));
    }
    if (!state.conflicts.empty() && random_.below(3) == 0)
        change.conflicts_closed.push_back(state.conflicts.begin()->first);
    if (before && !context->deleted && random_.below(5) == 0)
        change.conflicts_opened.push_back({.id = std::to_string(offset) + ".0",
                                           .context_key = context->key,
                                           .path = "/note",
                                           .base = "1",
                                           .stored = "2",
                                           .incoming = "3",
                                           .incoming_from = "cli-1",
                                           .version = context->version,
                                           .recorded_at_ms = now_ms});
    change.context = std::move(context);
    return change;
}

ResponseChange SampleLog::next_response(Offset offset) {
    ResponseRecord record;
    record.chat_id = "chat-" + std::to_string(random_.below(3));
    record.message_id = "message-" + std::to_string(random_.below(4));
    record.instance_id = "vscode-1";
    record.mode = "parallel";
    record.final.provider = random_.below(2) == 0 ? "local" : "remote";
    record.final.model = "m";
    record.final.response_hash = "00";
    record.final.timestamp_ms = now_ms;
    ResponseSource source = record.final;
    source.model = "m" + std::to_string(random_.below(4));
    record.sources.push_back(source);
    record.timestamp_ms = now_ms;
    record.offset = offset;
    return {record};
}

ModeChange SampleLog::next_mode(const State& state) {
    ModeState mode;
    mode.instance_id = "instance-" + std::to_string(random_.below(3));
    const auto at = state.modes.find(mode.instance_id);
    mode.current = static_cast<Mode>(random_.below(3));
    if (at != state.modes.end()) mode.previous = at->second.current;
    mode.sync_version = at == state.modes.end() ? 1 : at->second.sync_version + 1;
    mode.activated_at_ms = now_ms;
    mode.updated_at_ms = now_ms;
    return {mode};
}

ClaimChange SampleLog::next_claim(const State& state, Offset offset) {
    const std::string resource = "file:/" + std::to_string(offset / 2 % 3);
    const auto at = state.claims.find(resource);
    if (at == state.claims.end())
        return {Claim{.resource = resource,
                      .instance_id = "vscode-1",
                      .session = {},
                      .note = "note",
                      .token = offset,
                      .granted_at_ms = now_ms,
                      .renewed_at_ms = now_ms,
                      .expires_at_ms = now_ms + static_cast<std::int64_t>(offset * 977 % 100'000)}};
    Claim claim = at->second;
    const auto action = static_cast<ClaimAction>(1 + offset / 2 % 3);
    if (action == ClaimAction::renewed) claim.expires_at_ms += 1'000;
    return {claim, action};
}

std::string describe(const State& state, bool with_deleted) {
    std::string out;
    for (const auto& [key, context] : state.contexts) {
        if (context->deleted && !with_deleted) continue;
        write_context(out, *context);
        out += '\n';
    }
    for (const auto& [instance, mode] : state.modes) {
        write_mode(out, mode);
        out += '\n';
    }
    for (const auto& [id, conflict] : state.conflicts) {
        write_conflict(out, conflict);
        out += '\n';
    }
    for (const auto& [resource, claim] : state.claims) {
        write_claim(out, claim);
        out += '\n';
    }
    for (const auto& ends : {state.expiries, state.claim_ends})
        for (const auto& [when, name] : ends)
            out += std::to_string(when) + " " + name + "\n";
    return out + std::to_string(state.live_contexts) + " " + std::to_string(state.live_bytes);
}

std::string describe(const std::vector<ResponseRecord>& records) {
    std::string out;
    for (const ResponseRecord& record : records) {
        write_response(out, record);
        out += '\n';
    }
    return out;
}

}  // namespace dyad::test
