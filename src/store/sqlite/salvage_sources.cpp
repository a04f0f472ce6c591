#include "store/sqlite/salvage_sources.hpp"

#include "base/sha256.hpp"
#include "model/clock_mark.hpp"
#include "model/damaged_batch.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/database_header.hpp"
#include "store/sqlite/schema.hpp"

#include <algorithm>
#include <cstring>

namespace dyad::sqlite {

// salvage_journals.cpp
void read_journals(Sources& sources, const std::string& database,
                   std::optional<std::uint64_t> store_id);

namespace {

// Sorts the rows of a database by the user they are of and what they are. The tables and their
// columns: schema.cpp. A row is known by the shape of its values.
class RowSorter {
  public:
    explicit RowSorter(RawRows& rows) : rows_(rows) {}

    void take(const RawRow& row, RawPlace place) {
        const std::string shape = row.shape();
        if (row.in_table)
            take_of_table(row, shape, place);
        else
            take_of_index(row, shape, place);
    }
    void finish(Sources& sources);
    std::optional<std::uint64_t> store_id;
    std::optional<std::uint64_t> applied;
    std::string clock;

  private:
    struct Name {
        std::string text;
        bool sound;
        bool of_table;  // or of the index
    };
    void take_of_table(const RawRow& row, const std::string& shape, RawPlace place);
    void take_of_index(const RawRow& row, const std::string& shape, RawPlace place);
    void take_head(const RawRow& row);
    void take_segment(const RawRow& row, RawPlace place);
    std::int64_t owner_of(const SegmentPlace& segment) const;
    void name_users();
    bool fits(const UserSources& user, const std::string& name);

    RawRows& rows_;
    std::map<std::int64_t, UserSources> users_;
    std::map<std::int64_t, std::vector<Name>> names_;
    std::vector<SegmentPlace> segments_;
    std::map<Epoch, std::map<std::int64_t, int>> epochs_;  // whose, by how many witnesses
};

void RowSorter::take_head(const RawRow& row) {
    StoredHead head;
    head.user = row.rowid;
    head.head.epoch = static_cast<Epoch>(row.values[1].number);
    head.head.offset = static_cast<Offset>(row.values[2].number);
    std::memcpy(head.head.hash.data(), row.values[3].bytes.data(), head.head.hash.size());
    head.head.timestamp_ms = row.values[4].number;
    head.first_kept = static_cast<Offset>(row.values[5].number);
    if (head.head.offset == 0 || head.first_kept == 0 || head.first_kept > head.head.offset + 1)
        return;
    UserSources& user = users_[row.rowid];
    if (user.head && user.head_sound) return;
    user.head = head;
    user.head_sound = row.sound;
    epochs_[head.head.epoch][row.rowid] += row.sound ? 100 : 2;
}

void RowSorter::take_segment(const RawRow& row, RawPlace place) {
    const std::optional<RawRow> whole = rows_.read(place);
    if (!whole || whole->values[5].bytes.size() < kBatchHeaderBytes) return;
    const std::string_view body = whole->values[5].bytes;
    // The row says twice where it begins and three times how long it is.
    const auto first = static_cast<Offset>(row.values[1].number);
    const auto last = static_cast<Offset>(row.values[2].number);
    const std::size_t keys = whole->values[4].bytes.size() / 16;
    Offset body_first = 0;
    std::memcpy(&body_first, body.data() + 12, sizeof body_first);
    SegmentPlace segment;
    segment.user = row.values[0].number;
    segment.place = place;
    std::memcpy(&segment.epoch, body.data() + 4, sizeof segment.epoch);
    segment.first = last - first + 1 == keys || first == body_first ? first : body_first;
    segment.last = segment.first + keys - 1;
    if (segment.first == 0 || keys == 0 || keys > body.size() / kBatchEntryBytes) return;
    if (last - first + 1 != keys || first != body_first) {
        bool any = false;
        for (const FoundEvent& event : find_events(body, segment.first, keys))
            any = any || prove(event, std::nullopt, {});
        if (!any) return;
    }
    epochs_[segment.epoch][segment.user] += row.sound ? 3 : 1;
    segments_.push_back(segment);
}

void RowSorter::take_of_table(const RawRow& row, const std::string& shape, RawPlace place) {
    if (shape.starts_with("niibii")) {
        if (row.values[3].bytes.size() == sizeof(Hash)) take_head(row);
    } else if (shape.starts_with("iiiibb")) {
        take_segment(row, place);
    } else if (shape.starts_with("iiib")) {
        users_[row.values[0].number].expired.push_back(place);
    } else if (shape == "nt") {
        names_[row.rowid].push_back({row.values[1].bytes, row.sound, true});
    } else if (shape == "nit") {
        users_[row.values[1].number].searchable.insert(row.values[2].bytes);
    }
}

void RowSorter::take_of_index(const RawRow& row, const std::string& shape, RawPlace place) {
    const auto& values = row.values;
    if (shape.starts_with("itiint") || shape.starts_with("itiiit")) {
        users_[values[0].number].contexts.push_back(place);
    } else if (shape.starts_with("itiit")) {
        users_[values[0].number].claims.push_back(place);
    } else if (shape == "itt") {
        users_[values[0].number].conflicts_and_modes.push_back(place);
    } else if (shape == "iitt") {  // the index of responses looks the same, but has no document
        if (values[3].bytes.starts_with('{')) users_[values[0].number].transitions.push_back(place);
    } else if (shape.starts_with("ittit")) {
        users_[values[0].number].responses.push_back(place);
    } else if (shape == "tt") {
        if (row.sound && values[0].bytes == "clock" && decode_clock_mark(values[1].bytes))
            clock = values[1].bytes;
    } else if (shape == "ti") {  // meta, the search's own table, or the index of users by name
        const auto number = values[1].number;
        if (values[0].bytes == "store_id")
            store_id = static_cast<std::uint64_t>(number);
        else if (values[0].bytes == "applied")
            applied = static_cast<std::uint64_t>(number);
        else if (values[0].bytes != "journal_made" && values[0].bytes != "version")
            names_[number].push_back({values[0].bytes, row.sound, false});
    }
}

// An epoch is a random number of one log: it says whose a segment is even where its row does not.
std::int64_t RowSorter::owner_of(const SegmentPlace& segment) const {
    const auto& witnesses = epochs_.at(segment.epoch);
    return std::max_element(witnesses.begin(), witnesses.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; })
        ->first;
}

// The first event of a log names its user; later ones do not.
bool RowSorter::fits(const UserSources& user, const std::string& name) {
    if (user.segments.empty() || user.segments.front().first != 1) return true;
    const SegmentPlace& first = user.segments.front();
    const std::optional<RawRow> row = rows_.read(first.place);
    return row && std::string_view(row->values[5].bytes).substr(20, sizeof(Hash)) ==
                      view(genesis_hash(name, first.epoch));
}

void RowSorter::name_users() {
    for (auto& [number, user] : users_) {
        user.number = number;
        std::vector<Name> names = names_[number];
        std::sort(names.begin(), names.end(), [](const Name& a, const Name& b) {
            return a.sound != b.sound ? a.sound : a.of_table && !b.of_table;
        });
        const bool agree = std::all_of(names.begin(), names.end(), [&](const Name& name) {
            return name.text == names.front().text;
        });
        for (const Name& name : names) {
            if (user.name_known || !fits(user, name.text)) continue;
            const bool proved = !user.segments.empty() && user.segments.front().first == 1;
            if (!proved && !name.sound && !(agree && names.size() > 1)) continue;
            user.name = name.text;
            user.name_known = true;
        }
    }
}

void RowSorter::finish(Sources& sources) {
    for (const SegmentPlace& segment : segments_)
        users_[owner_of(segment)].segments.push_back(segment);
    for (auto& [number, user] : users_)
        std::sort(user.segments.begin(), user.segments.end(),
                  [](const auto& a, const auto& b) { return a.first < b.first; });
    name_users();
    for (auto& [number, user] : users_)
        sources.users.push_back(std::move(user));
}

// Where a transaction was broken off, SQLite puts it back first, as at every start.
void roll_back(const std::string& database, const std::string& vfs) {
    const auto connection = Connection::open({.path = database, .vfs = vfs});
    if (connection) (void)(*connection)->number("SELECT count(*) FROM sqlite_schema");
}

Status check_not_newer(const DatabaseHeader& header, const std::string& database) {
    if (header.is_database && header.application_id == kApplicationId &&
        header.user_version > static_cast<std::uint32_t>(schema_version()))
        return fail(Errc::storage_newer, database +
                                             ": a newer version of this program wrote it; "
                                             "salvage it with that version");
    return Done{};  // one that looks like another program's may be ours with a damaged header
}

// A user of the journals whose number is known by the epoch is the database's.
void join_by_epoch(std::vector<UserSources>& users) {
    for (UserSources& journaled : users) {
        if (journaled.number != 0 || journaled.journal.empty()) continue;
        const Epoch epoch = journaled.journal.begin()->second.batch->epoch;
        for (UserSources& stored : users) {
            const std::vector<Epoch> own = stored.epochs();
            if (stored.number == 0 || stored.name_known ||
                std::find(own.begin(), own.end(), epoch) == own.end())
                continue;
            stored.name = std::exchange(journaled.name, {});
            stored.name_known = true;
            stored.journal = std::move(journaled.journal);
            stored.last_sequence = journaled.last_sequence;
            journaled.journal.clear();
            break;
        }
    }
    std::erase_if(users, [](const UserSources& user) {
        return user.segments.empty() && user.journal.empty() && user.contexts.empty() &&
               user.conflicts_and_modes.empty() && user.claims.empty() && user.responses.empty() &&
               user.transitions.empty() && !user.head;
    });
    for (UserSources& user : users)
        if (!user.name_known) user.name = "salvaged-" + std::to_string(user.number);
}

}  // namespace

std::vector<Epoch> UserSources::epochs() const {
    std::vector<Epoch> all;
    if (head) all.push_back(head->head.epoch);
    for (const SegmentPlace& segment : segments)
        if (std::find(all.begin(), all.end(), segment.epoch) == all.end())
            all.push_back(segment.epoch);
    if (!journal.empty()) all.push_back(journal.begin()->second.batch->epoch);
    return all;
}

bool Sources::tail_may_be_lost(const UserSources& user) const {
    if (tail_unsure) return true;
    return !records_lost.empty() && user.last_sequence < records_lost.back();
}

Result<Sources> find_sources(const std::string& database, const std::string& vfs,
                             const Progress& progress) {
    Sources sources;
    sources.disk = std::make_unique<UntouchedVfs>(vfs);
    std::optional<std::uint64_t> store_id;
    bool is_ours = false;
    const Result<std::string> bytes =
        File::load(sources.disk->vfs(), database, DatabaseHeader::kBytes);
    if (!bytes || bytes->empty()) {
        sources.damages.push_back(database + ": is missing, empty or cannot be read");
        sources.tail_unsure = true;
    } else {
        const DatabaseHeader header = read_database_header(*bytes);
        TRY(check_not_newer(header, database));
        is_ours = header.is_database && header.application_id == kApplicationId;
        roll_back(database, sources.disk->name());
        ASSIGN_OR_RETURN(auto rows, RawRows::open(sources.disk->vfs(), database));
        sources.rows = std::move(rows);
        RowSorter sorter(*sources.rows);
        for (std::uint32_t page = 1; page <= sources.rows->pages(); ++page) {
            sources.rows->visit_page(
                page, [&](const RawRow& row, RawPlace place) { sorter.take(row, place); });
            if (progress && page % 256 == 0) progress(page, sources.rows->pages());
        }
        store_id = sorter.store_id;
        sources.applied = sorter.applied;
        sources.clock = std::move(sorter.clock);
        sorter.finish(sources);
    }
    read_journals(sources, database, store_id);
    join_by_epoch(sources.users);
    // A whole one that nobody has written to is saved as what it is.
    const bool whole = sources.damages.empty() && sources.rows && sources.rows->damaged().empty();
    if (sources.users.empty() && sources.records_whole == 0 && !whole)
        return fail(Errc::storage_damaged,
                    database + (is_ours && !sources.damages.empty()
                                    ? ": holds nothing yet, and of what was written behind it "
                                      "nothing can be read: " +
                                          sources.damages.front()
                                    : ": there is nothing of this product that could be read"));
    return sources;
}

}  // namespace dyad::sqlite
