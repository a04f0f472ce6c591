#include "sim_store/sim_database.hpp"

#include "base/check.hpp"
#include "base/limits.hpp"

#include <algorithm>

namespace dyad::sim {
namespace {

void project_event(UserRecord& record, const StoredEvent& event, bool keeps_deleted) {
    const auto* context = std::get_if<ContextChange>(&event.change);
    if (!keeps_deleted || context == nullptr || !context->context->deleted)
        fold(record.state, event.change);
    if (const auto* response = std::get_if<ResponseChange>(&event.change)) {
        const ResponseRecord& addition = response->record;
        const auto [at, fresh] =
            record.responses.try_emplace({addition.chat_id, addition.message_id}, addition);
        if (!fresh) at->second = merge_responses(at->second, addition);
        at->second.offset = event.offset;
    } else if (const auto* mode = std::get_if<ModeChange>(&event.change)) {
        record.transitions.emplace_back(event.offset, mode->state);
    }
}

// What stays known of the operation of an event that expires.
void keep_expired(UserRecord& record, const StoredEvent& event) {
    const Result<EventView> view = decode_event(event.text());
    CHECK(view.has_value());
    const std::uint64_t key = event.entry().operation_key;
    UserRecord::Expired& own = record.expired[view->source_instance_id];
    own.keys.push_back(key);
    own.newest = view->offset;
    record.operations[key] = 0;
    if (own.keys.size() > limits::expired_operations_per_instance_max) {
        record.operations.erase(own.keys.front());
        own.keys.pop_front();
    }
    if (record.expired.size() <= limits::expired_operations_instances_max) return;
    const auto oldest =
        std::min_element(record.expired.begin(), record.expired.end(),
                         [](auto& a, auto& b) { return a.second.newest < b.second.newest; });
    for (const std::uint64_t gone : oldest->second.keys)
        record.operations.erase(gone);
    record.expired.erase(oldest);
}

void truncate(UserRecord& record, Offset to) {
    record.events.resize(to);
    record.journaled = std::min(record.journaled, to);
    record.first_kept = std::min(record.first_kept, to + 1);
    record.operations.clear();
    record.expired.clear();
    for (Offset offset = 1; offset < record.first_kept; ++offset)
        keep_expired(record, record.events[offset - 1]);
    for (Offset offset = record.first_kept; offset <= to; ++offset)
        record.operations[record.events[offset - 1].entry().operation_key] = offset;
    if (to == 0) record.epoch = 0;
}

}  // namespace

EventBatchPtr slice_batch(const EventBatchPtr& batch, Offset from, Offset to) {
    if (from == batch->first && to == batch->last()) return batch;
    auto part = std::make_shared<EventBatch>();
    part->epoch = batch->epoch;
    part->first = from;
    part->prev_hash = from == batch->first ? batch->prev_hash : batch->entry(from - 1).hash;
    part->texts = batch->text_range(from, to);
    const std::uint32_t skipped = from == batch->first ? 0 : batch->entry(from - 1).text_end + 1;
    for (Offset offset = from; offset <= to; ++offset) {
        part->entries.push_back(batch->entry(offset));
        part->entries.back().text_end -= skipped;
    }
    return part;
}

LogHead UserRecord::head_at(const std::string& user_id, Offset offset) const {
    if (offset == 0) return {.epoch = epoch, .offset = 0, .hash = genesis_hash(user_id, epoch)};
    LogHead head{.epoch = epoch, .offset = offset, .hash = hash_at(offset)};
    head.timestamp_ms = events[offset - 1].entry().timestamp_ms;
    return head;
}

AppendOutcome SimDatabase::insert(const std::string& user_id, const EventBatchPtr& batch,
                                  Offset offset, const Change& change) {
    UserRecord& record = users_[user_id];
    const EventEntry& entry = batch->entry(offset);
    const Offset end = record.events.size();
    if (end == 0)
        record.epoch = flaws.epoch_by_node ? batch->epoch : first_head(user_id, epoch_seed).epoch;
    const Hash prev = offset == batch->first ? batch->prev_hash : batch->entry(offset - 1).hash;
    const bool follows = offset == end + 1 && batch->epoch == record.epoch &&
                         prev == record.head_at(user_id, end).hash;
    if (!follows && !flaws.no_offset_index) return AppendOutcome::conflict;
    if (!flaws.no_operation_index && record.operations.contains(entry.operation_key))
        return AppendOutcome::duplicate;
    record.events.push_back({batch, offset, change});
    record.operations[entry.operation_key] = record.events.size();
    unjournaled_.insert(user_id);
    return AppendOutcome::committed;
}

void SimDatabase::write_at_end(const AppendRequest& request) {
    LogHead head = head_of_all(request.user_id);
    auto batch = std::make_shared<EventBatch>();
    for (std::size_t i = 0; i < request.batch->size(); ++i) {
        const Result<EventView> event = decode_event(request.batch->text(request.batch->first + i));
        CHECK(event.has_value());
        EventDraft draft;
        draft.source_instance_id = event->source_instance_id;
        draft.operation_id = event->operation_id;
        draft.fingerprint = request.batch->entries[i].fingerprint;
        draft.timestamp_ms = std::max(head.timestamp_ms, request.batch->entries[i].timestamp_ms);
        append_change(*batch, head, request.changes[i], draft);
    }
    for (std::size_t i = 0; i < request.batch->size(); ++i)
        insert(request.user_id, batch, batch->first + i, request.changes[i]);
    journal();
}

LogHead SimDatabase::head_of_all(const std::string& user_id) const {
    const auto at = users_.find(user_id);
    if (at == users_.end() || at->second.events.empty()) return first_head(user_id, epoch_seed);
    return at->second.head_at(user_id, at->second.events.size());
}

std::optional<Offset> SimDatabase::offset_of(const std::string& user_id,
                                             std::uint64_t operation_key) const {
    const auto user = users_.find(user_id);
    if (user == users_.end()) return std::nullopt;
    const auto at = user->second.operations.find(operation_key);
    return at == user->second.operations.end() ? std::nullopt : std::optional(at->second);
}

void SimDatabase::journal() {
    for (const std::string& user_id : unjournaled_) {
        UserRecord& record = users_[user_id];
        while (record.journaled < record.events.size()) {
            record.journaled += 1;
            if (observer.journaled)
                observer.journaled(user_id, record, record.events[record.journaled - 1]);
        }
    }
    unjournaled_.clear();
}

void SimDatabase::crash() {
    constexpr std::int64_t kDeposedMs = 1500;
    for (const std::string& user_id : unjournaled_) {
        UserRecord& record = users_[user_id];
        truncate(record, record.journaled);
    }
    unjournaled_.clear();
    for (auto& [user_id, record] : users_)
        record.deposed = record.journaled;
    deposed_until_ms_ = now_ms + kDeposedMs;
}

bool SimDatabase::durable(const std::string& user_id, Offset offset, const Hash& hash) const {
    const auto at = users_.find(user_id);
    if (at == users_.end()) return false;
    const UserRecord& record = at->second;
    const Offset end = flaws.commits_unjournaled ? record.events.size() : record.journaled;
    return offset <= end && record.hash_at(offset) == hash;
}

void SimDatabase::project(UserRecord& record, std::size_t events) const {
    const Offset end = std::min<Offset>(record.journaled, record.projected + events);
    for (; record.projected < end; ++record.projected)
        project_event(record, record.events[record.projected], flaws.keeps_deleted);
}

std::size_t SimDatabase::expire(
    std::int64_t before_ms,
    const std::function<bool(const std::string&, const StoredEvent&)>& keep) {
    std::size_t expired = 0;
    for (auto& [user_id, record] : users_) {
        project(record, record.events.size());
        while (record.first_kept <= record.projected &&
               record.events[record.first_kept - 1].entry().timestamp_ms < before_ms &&
               !(keep && keep(user_id, record.events[record.first_kept - 1]))) {
            const StoredEvent& event = record.events[record.first_kept - 1];
            if (observer.expired) observer.expired(user_id, event);
            const auto at = record.operations.find(event.entry().operation_key);
            if (at != record.operations.end() && at->second == record.first_kept) {
                record.operations.erase(at);
                if (!flaws.forgets_expired) keep_expired(record, event);
            }
            record.first_kept += 1;
            expired += 1;
        }
    }
    return expired;
}

SimDatabase::Backup SimDatabase::backup() const {
    Backup taken;
    for (const auto& [user_id, record] : users_)
        taken.users.emplace(user_id, record.journaled);
    return taken;
}

void SimDatabase::restore(const Backup& backup, const std::function<Epoch()>& new_epoch) {
    crash();
    for (auto& [user_id, record] : users_) {
        const auto at = backup.users.find(user_id);
        const Offset kept = at == backup.users.end() ? 0 : at->second;
        CHECK(kept <= record.events.size());
        if (observer.lost)
            for (Offset offset = kept + 1; offset <= record.events.size(); ++offset)
                observer.lost(user_id, record.events[offset - 1]);
        truncate(record, kept);
        if (record.projected > kept) {
            record.projected = 0;
            record.state = {};
            record.responses.clear();
            record.transitions.clear();
            project(record, kept);
        }
        if (kept != 0 && new_epoch) record.epoch = new_epoch();
    }
    if (new_epoch) epoch_seed = new_epoch();
}

LogHead SimDatabase::head(const std::string& user_id, std::uint64_t seed) const {
    const UserRecord* record = find(user_id);
    return record == nullptr ? first_head(user_id, flaws.epoch_by_node ? seed : epoch_seed)
                             : record->head_at(user_id, readable(*record));
}

const UserRecord* SimDatabase::find(const std::string& user_id) const {
    const auto at = users_.find(user_id);
    return at == users_.end() || readable(at->second) == 0 ? nullptr : &at->second;
}

}  // namespace dyad::sim
