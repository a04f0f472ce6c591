// The journals of a damaged store: every whole record, and what of a damaged one can be read.
#include "base/bytes.hpp"
#include "model/damaged_batch.hpp"
#include "store/sqlite/journal_format.hpp"
#include "store/sqlite/salvage_sources.hpp"

#include <algorithm>

namespace dyad::sqlite {
namespace {

struct Half {
    std::string path;
    std::string bytes;
    std::optional<JournalHeader> header{};
    std::vector<Record> records;  // whole ones, in the file's order
    std::size_t run = 0;          // how many of them are of its last use
};

void scan(Half& half, std::uint64_t store_id) {
    for (std::size_t at = kRecordsBegin; at + kRecordHeaderBytes <= half.bytes.size();) {
        const auto record = read_record(half.bytes, at, store_id);
        if (record) half.records.push_back(*record);
        at = record ? record->end : at + 8;
    }
    // What follows a lower number is left from an earlier use of the file.
    while (half.run < half.records.size() &&
           (half.run == 0 || half.records[half.run].sequence > half.records[half.run - 1].sequence))
        ++half.run;
}

bool reads_well(const EventBatch& batch) {
    return !batch.empty() && verify_batch(batch).has_value();
}

class Journals {
  public:
    explicit Journals(Sources& sources) : sources_(sources) {}

    void read(const std::string& database, std::optional<std::uint64_t> store_id) {
        for (std::size_t index = 0; index < 2; ++index)
            load(halves_[index], database + "-log" + std::to_string(index));
        const auto journals = store_of_both();
        if (store_id && journals && *journals != *store_id && sources_.users.empty()) {
            // What the journals hold is all there is.
            sources_.damages.push_back(database +
                                       ": holds nothing, and belongs to another store than the "
                                       "journals beside it");
            sources_.tail_unsure = true;
            store_id = journals;
        }
        for (Half& half : halves_)
            accept(half, store_id);
        if (!store_id_) store_id_ = store_id;
        if (!store_id_) return;
        for (Half& half : halves_) {
            scan(half, *store_id_);
            sources_.records_whole += half.records.size();
            // Nothing of it could be read: nobody knows how far it went.
            if (!half.header && half.records.empty()) sources_.tail_unsure = true;
            for (const Record& record : half.records)
                take(record.payload, record.sequence, true);
        }
        find_lost();
    }

  private:
    void load(Half& half, std::string path) {
        half.path = std::move(path);
        Result<std::string> bytes = File::load(sources_.disk->vfs(), half.path);
        if (!bytes) return;
        half.bytes = *std::move(bytes);
        if (const auto header = decode_header(half.bytes)) half.header = *header;
    }

    // Nothing where they disagree, or one cannot be read.
    std::optional<std::uint64_t> store_of_both() const {
        const auto& [first, second] = halves_;
        if (!first.header || !second.header || first.header->store_id != second.header->store_id)
            return std::nullopt;
        return first.header->store_id;
    }

    void accept(Half& half, std::optional<std::uint64_t> store_id) {
        const auto damaged = [&](const std::string& what, bool unsure) {
            sources_.damages.push_back(half.path + ": " + what);
            sources_.tail_unsure = sources_.tail_unsure || unsure;
        };
        if (half.bytes.empty()) return damaged("is missing, empty or cannot be read", true);
        if (!half.header) return damaged("its header is damaged", false);
        if (store_id && half.header->store_id != *store_id) {
            half.bytes.clear();
            return damaged("belongs to another store; nothing of it is taken", true);
        }
        if (!store_id_) store_id_ = half.header->store_id;
        if (half.header->file_bytes > half.bytes.size())
            damaged("is cut short: " + std::to_string(half.bytes.size()) + " of " +
                        std::to_string(half.header->file_bytes) + " bytes",
                    true);
    }

    // Of the records' numbers, those that must have been there and are not.
    void find_lost() {
        std::vector<std::uint64_t> there;
        for (const Half& half : halves_)
            for (std::size_t i = 0; i < half.run; ++i)
                there.push_back(half.records[i].sequence);
        std::sort(there.begin(), there.end());
        if (there.empty()) return;
        std::uint64_t next = sources_.applied ? *sources_.applied + 1 : there.front();
        for (const std::uint64_t sequence : there) {
            for (; next < sequence; ++next)
                lost(next);
            next = std::max(next, sequence + 1);
        }
        find_unfinished(there.back());
    }

    void lost(std::uint64_t sequence) {
        for (const Half& half : halves_) {
            std::size_t begin = kRecordsBegin;
            for (std::size_t i = 0; i < half.run; ++i) {
                const Record& record = half.records[i];
                if (record.sequence > sequence)
                    return read_damaged(half, begin, record.begin, sequence, "is damaged");
                begin = record.end;
            }
        }
        sources_.records_lost.push_back(sequence);
        sources_.damages.push_back("commit " + std::to_string(sequence) + " is in neither journal");
    }

    // A record behind the last whole one: the power went before it was written, or it is damaged.
    void find_unfinished(std::uint64_t last) {
        for (const Half& half : halves_) {
            const bool has_last = half.run != 0 && half.records[half.run - 1].sequence == last;
            if (half.run != 0 && half.records[0].sequence <= last && !has_last &&
                half.records[0].begin == kRecordsBegin)
                continue;  // its first place is taken
            const std::size_t at = has_last ? half.records[half.run - 1].end : kRecordsBegin;
            std::string_view in =
                std::string_view(half.bytes).substr(std::min(at, half.bytes.size()));
            const auto magic = take_le<std::uint32_t>(in);
            const auto length = take_le<std::uint32_t>(in);
            const auto sequence = take_le<std::uint64_t>(in);
            if (!sequence || (*magic != kRecordMagic && *sequence != last + 1)) continue;
            const std::size_t end = at + kRecordHeaderBytes + *length;
            return read_damaged(half, at, std::min(end, half.bytes.size()), last + 1,
                                "is not whole: it was not finished, or it is damaged");
        }
    }

    // The entries of a damaged record may still be read, one by one; each must prove itself.
    void read_damaged(const Half& half, std::size_t begin, std::size_t end, std::uint64_t sequence,
                      const char* what) {
        const std::size_t payload = begin + kRecordHeaderBytes;
        const bool all =
            payload < end &&
            take(std::string_view(half.bytes).substr(payload, end - payload), sequence, false);
        if (!all) sources_.records_lost.push_back(sequence);
        sources_.damages.push_back(half.path + " at byte " + std::to_string(begin) + ": commit " +
                                   std::to_string(sequence) + " " + what +
                                   (all ? "; all that is in it could be read" : ""));
    }

    // False where there was something that is not as it was written.
    bool take(std::string_view payload, std::uint64_t sequence, bool sound) {
        bool all = true;
        while (payload.find_first_not_of('\0') != std::string_view::npos) {
            const auto entry = take_entry(payload);
            if (!entry) return false;
            Result<EventBatch> decoded = decode_batch(entry->batch);
            UserSources* user = nullptr;
            if (decoded && reads_well(*decoded))
                user = find(
                    std::string(entry->user),
                    sound || (decoded->first == 1 &&
                              decoded->prev_hash == genesis_hash(entry->user, decoded->epoch)));
            all = all && user != nullptr;
            if (user == nullptr) continue;
            const auto batch = std::make_shared<const EventBatch>(*std::move(decoded));
            if (sound) user->last_sequence = std::max(user->last_sequence, sequence);
            for (Offset offset = batch->first; offset <= batch->last(); ++offset) {
                JournalBatch& known = user->journal[offset];
                if (known.batch && (known.sound > sound || known.sequence > sequence)) continue;
                known = {.batch = batch, .sequence = sequence, .sound = sound};
            }
        }
        return all;
    }

    // A damaged record makes no user known.
    UserSources* find(const std::string& name, bool make) {
        for (UserSources& user : sources_.users)
            if (user.name == name) return &user;
        if (!make) return nullptr;
        UserSources& user = sources_.users.emplace_back();
        user.name = name;
        user.name_known = true;
        return &user;
    }

    Sources& sources_;
    std::optional<std::uint64_t> store_id_;
    Half halves_[2];
};

}  // namespace

void read_journals(Sources& sources, const std::string& database,
                   std::optional<std::uint64_t> store_id) {
    Journals(sources).read(database, store_id);
}

}  // namespace dyad::sqlite
