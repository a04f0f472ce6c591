#include "store/sqlite/salvage_log.hpp"

#include <algorithm>

namespace dyad::sqlite {
namespace {

constexpr std::string_view kSalvager = "dyad-memory";

std::uint64_t scope_key(const RawRow& row, std::size_t index) {
    std::string_view keys = row.values[4].bytes;
    keys.remove_prefix(std::min(keys.size(), 16 * index + 8));
    return take_le<std::uint64_t>(keys).value_or(0);
}

}  // namespace

void LogSalvage::account(Offset offset, bool kept, const std::string& why) {
    auto& ranges = account_.events;
    if (!ranges.empty() && ranges.back().kept == kept && ranges.back().why == why)
        ranges.back().last = offset;
    else
        ranges.push_back({.first = offset, .last = offset, .kept = kept, .why = why});
}

Status LogSalvage::flush() {
    if (building_.empty()) return Done{};
    Unapplied batch;
    batch.batch = std::make_shared<const EventBatch>(std::exchange(building_, {}));
    TRY(batch.decode());
    for (std::size_t i = 0; i < batch.changes.size(); ++i) {
        if (const auto* context = std::get_if<ContextChange>(&batch.changes[i]))
            closed_.insert(context->conflicts_closed.begin(), context->conflicts_closed.end());
        const auto* claim = std::get_if<ClaimChange>(&batch.changes[i]);
        if (claim != nullptr && !claim->is_held())
            ended_claims_[claim->claim.resource] = batch.batch->first + i;
    }
    TRY(log_.append(user_, std::span(&batch, 1), batch.batch->head()));
    return projections_.apply(user_, std::span(&batch, 1));
}

Status LogSalvage::append(const EventDraft& draft, Epoch epoch) {
    constexpr std::size_t kEvents = 256, kBytes = 256 * 1024;
    if (building_.size() >= kEvents || building_.texts.size() >= kBytes ||
        (!building_.empty() && building_.epoch != epoch))
        TRY(flush());
    if (log_is_empty_) first_ = head_.offset + 1;
    log_is_empty_ = false;
    head_.epoch = epoch;
    append_event(building_, head_, draft);
    return Done{};
}

Status LogSalvage::keep(const ProvedEvent& event) {
    if (!begun_) {
        begun_ = true;
        head_ = {.epoch = event.epoch,
                 .offset = event.view.offset - 1,
                 .hash = event.prev_hash,
                 .timestamp_ms = 0};
        // A log of another name than its first event was written for.
        const Hash genesis = genesis_hash(from_.name, event.epoch);
        if (head_.offset == 0 && event.prev_hash != genesis)
            head_.hash = genesis_hash(from_.name, new_epoch_);
    }
    const bool linked = !rechained_ && head_.hash == event.prev_hash;
    rechained_ = !linked;
    old_hash_ = event.hash;
    EventDraft draft = event.draft();
    draft.timestamp_ms = std::max(draft.timestamp_ms, head_.timestamp_ms);
    account(event.view.offset, true, {});
    return append(draft, linked ? event.epoch : new_epoch_);
}

Status LogSalvage::lose(Offset offset, const std::string& why, std::uint64_t scope) {
    account(offset, false, why);
    old_hash_.reset();
    if (first_lost_ == 0) first_lost_ = offset;
    if (scope != 0)
        lost_scopes_[scope] = offset;
    else
        ++lost_without_scope_;
    return begun_ ? fill(offset) : Status(Done{});  // or the log simply begins later
}

// An event in the place of one that is lost.
Status LogSalvage::fill(Offset offset) {
    if (!begun_)
        head_ = {.epoch = new_epoch_,
                 .offset = offset - 1,
                 .hash = offset == 1 ? genesis_hash(from_.name, new_epoch_) : Hash{},
                 .timestamp_ms = 0};
    begun_ = true;
    rechained_ = true;
    const std::string operation = "lost-" + std::to_string(offset);
    EventDraft draft;
    draft.kind = EventKind::event_lost;
    draft.scope = "lost";
    draft.source_instance_id = kSalvager;
    draft.operation_id = operation;
    draft.data = "{}";
    draft.timestamp_ms = head_.timestamp_ms;
    return append(draft, new_epoch_);
}

std::optional<ProvedEvent> LogSalvage::in_journal(Offset offset) {
    const auto at = from_.journal.find(offset);
    if (at == from_.journal.end()) return std::nullopt;
    const EventBatch& batch = *at->second.batch;
    FoundEvent found{
        .offset = offset,
        .epoch = batch.epoch,
        .prev_hash = offset == batch.first ? batch.prev_hash : batch.entry(offset - 1).hash,
        .entry = batch.entry(offset),
        .text = batch.text(offset)};
    // The user of a damaged record may be another one: only the chain can tell.
    if (!at->second.sound) {
        const bool first = offset == 1 && found.prev_hash == genesis_hash(from_.name, batch.epoch);
        if (!first && (!old_hash_ || *old_hash_ != found.prev_hash)) return std::nullopt;
    }
    return prove(found, std::nullopt, {});
}

Status LogSalvage::from_journal_or_lost(Offset offset, const std::string& why,
                                        std::uint64_t scope) {
    const std::optional<ProvedEvent> event = in_journal(offset);
    return event ? keep(*event) : lose(offset, why, scope);
}

Status LogSalvage::up_to(Offset last, const std::string& why) {
    for (; next_ <= last; ++next_)
        TRY(from_journal_or_lost(next_, why, 0));
    return Done{};
}

Status LogSalvage::segment(const SegmentPlace& place) {
    if (place.last < next_) return Done{};
    const std::string where = "memory.db, page " + std::to_string(place.place.page);
    TRY(up_to(place.first - 1, "no segment of the log has it"));
    const std::optional<RawRow> row = rows_->read(place.place);
    if (!row) return up_to(place.last, where + " is damaged");
    const std::vector<FoundEvent> found =
        find_events(row->values[5].bytes, place.first, place.last - place.first + 1);
    for (std::size_t i = 0; i < found.size(); ++i) {
        if (found[i].offset < next_) continue;
        const std::optional<ProvedEvent> event = prove(found[i], old_hash_, epochs_);
        // A segment of another user can only be here by damage.
        const bool foreign = event && event->view.offset == 1 && from_.name_known &&
                             event->prev_hash != genesis_hash(from_.name, event->epoch);
        TRY(event && !foreign
                ? keep(*event)
                : from_journal_or_lost(found[i].offset,
                                       "its segment, " + where + " and the pages after it",
                                       scope_key(*row, i)));
        next_ = found[i].offset + 1;
    }
    return Done{};
}

// Of a log whose events all expired only the end is known.
Status LogSalvage::keep_end(const StoredHead& log) {
    first_ = log.first_kept;
    head_ = log.head;
    return log_.append(user_, {}, log.head);
}

Status LogSalvage::run(Offset end) {
    epochs_ = from_.epochs();
    next_ = end;
    if (!from_.segments.empty()) next_ = from_.segments.front().first;
    if (!from_.journal.empty() && (from_.segments.empty() || from_.journal.begin()->first < next_))
        next_ = from_.journal.begin()->first;
    if (from_.head && from_.head_sound) next_ = from_.head->first_kept;
    for (const SegmentPlace& place : from_.segments)
        TRY(segment(place));
    if (!from_.journal.empty())
        TRY(up_to(from_.journal.rbegin()->first, "no segment and no record has it"));
    TRY(up_to(end, "it was in a record of the journal that is missing"));
    const bool all_expired =
        from_.head_sound && from_.head && from_.head->first_kept == from_.head->head.offset + 1;
    if (!begun_ && all_expired) return keep_end(*from_.head);
    if (!begun_ && next_ > 1) TRY(fill(next_ - 1));
    return flush();
}

}  // namespace dyad::sqlite
