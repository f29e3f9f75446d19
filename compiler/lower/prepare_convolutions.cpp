#include "compiler/lower/prepare_convolutions.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "compiler/ir/layout.h"
#include "compiler/ir/rewriter.h"
#include "compiler/lower/contraction_across.h"
#include "compiler/lower/convolution_form.h"
#include "compiler/lower/prepare_winograd.h"
#include "compiler/lower/view.h"
#include "compiler/ops/convolution.h"
#include "compiler/ops/op_def.h"
#include "compiler/ops/ops.h"
#include "compiler/ops/windows.h"

namespace pullback::lower {
namespace {

using ops::Value;
using ops::Windows;

Shape trailing(const Shape& shape) {
  return {shape.begin() + 2, shape.end()};
}

bool is_padded(const Windows& w) {
  for (std::size_t d = 0; d < w.rank(); ++d)
    if (w.base_dilation[d] > 1 || w.low[d] != Dim(0) || w.high[d] != Dim(0)) return true;
  return false;
}

/// x with its padding in memory; `windows` then have none.
Value padded(Value x, Windows& windows) {
  Shape low{0, 0}, high{0, 0};
  ir::Integers interior{0, 0};
  low.insert(low.end(), windows.low.begin(), windows.low.end());
  high.insert(high.end(), windows.high.begin(), windows.high.end());
  for (std::int64_t& dilation : windows.base_dilation) {
    interior.push_back(dilation - 1);
    dilation = 1;
  }
  windows.low.assign(windows.rank(), 0);
  windows.high.assign(windows.rank(), 0);
  return ops::pad(x, ops::scalar(*x.builder, x.dtype(), 0), low, high, interior);
}

/// How much of the vectors is used when they run over `size` elements.
double used(std::int64_t size, std::int64_t lanes) {
  const std::int64_t vectors = (size + lanes - 1) / lanes;
  return vectors == 0 ? 0 : static_cast<double>(size) / static_cast<double>(vectors * lanes);
}

/// Should vectors run over the output channels rather than over the innermost spatial axis? They then are full where
/// images are small, and images are read at any stride; but results are stored element by element, each about as
/// costly as eight vectors of products.
bool runs_over_channels(const Convolution& c, std::int64_t outputs, std::int64_t lanes) {
  const Windows& windows = c.windows;
  if (outputs == 1 || windows.rank() == 0) return false;
  double products = static_cast<double>(c.w.size(1).constant());
  std::int64_t innermost = 1;
  bool joined = true;  // neighbouring rows of x are one where nothing lies between them
  for (std::size_t d = windows.rank(); d-- > 0;) {
    const std::int64_t taps = windows.sizes[d].constant();
    products *= static_cast<double>(taps);
    if (joined) innermost *= c.result[d + 2].constant();
    joined = joined && taps == 1 && windows.strides[d] == 1;
  }
  const double spatial = windows.strides.back() == 1 ? used(innermost, lanes) : 0.35;
  const double stores = 8 * static_cast<double>(lanes);
  return used(outputs, lanes) * products / (products + stores) > spatial;
}

/// A copy of the kernels for tiles, which read a few neighbouring output channels of all taps and input channels: in
/// the order in which they do, and at a distance of an odd number of lines of the cache, so that these use all of it.
Value for_tiles(Value w) {
  const std::int64_t line = 64 / static_cast<std::int64_t>(size_of(w.dtype())), outputs = w.size(0).constant();
  Shape behind(w.rank(), 0);
  if (outputs % (2 * line) == 0) behind[0] = line;
  const Value copy =
      ops::pad(w, ops::scalar(*w.builder, w.dtype(), 0), Shape(w.rank(), 0), behind, ir::Integers(w.rank(), 0));
  ir::Integers order;
  for (std::size_t d = 2; d < w.rank(); ++d) order.push_back(static_cast<std::int64_t>(d));
  order.push_back(1);
  order.push_back(0);
  ir::set_layout(*copy.value->definer, order);
  if (behind[0] == Dim(0)) return copy;
  return ops::slice(copy, Shape(w.rank(), 0), w.shape(), ir::Integers(w.rank(), 1));
}

/// Is the operand x worth a copy with its channels as neighbours? Tiles walk over the channels of a few pixels: where
/// these lie apart, each comes with its neighbours in a line of the cache, and more lines than the first level has are
/// between one use and the next.
bool is_worth_moving(const Convolution& c) {
  constexpr std::int64_t kFewChannels = 16, kFewUses = 64, kFewBytes = 4 * 1024;
  if (c.groups * c.batch_groups > 1 || sums_over_images(c) || strides_in_place(c.x)[1] == 1) return false;
  const std::int64_t channels = c.x.size(1).constant();
  std::int64_t uses = c.w.size(0).constant(), lines = channels * 64;
  for (std::size_t d = 0; d < c.windows.rank(); ++d) {
    const std::int64_t taps = c.windows.sizes[d].constant();
    uses = uses * taps / c.windows.strides[d];
    lines *= taps;
  }
  const bool has_windows = lines > channels * 64;  // pixels of whole rows are neighbours already
  return has_windows && channels >= kFewChannels && uses >= kFewUses && lines >= kFewBytes;
}

/// Elements of a vector from which on the gradients of kernels are laid out anew: f32 with 32 registers.
constexpr std::int64_t kWideLanes = 16;

/// Is the operand x of the gradient of the kernels worth such a copy? The rows of its tiles are channels: many that lie
/// half a page apart, or a page, meet in one or two sets of the first level.
bool is_worth_moving_rows(const Convolution& c, std::int64_t lanes) {
  constexpr std::int64_t kManyRows = 12, kFewUses = 64, kHalfPage = 2048;
  // With fewer registers, rows of a tile are fewer than ways of the cache.
  if (lanes < kWideLanes || c.groups * c.batch_groups > 1 || !sums_over_images(c)) return false;
  const std::int64_t apart = strides_in_place(c.x)[0] * static_cast<std::int64_t>(size_of(c.x.dtype()));
  std::int64_t uses = c.w.size(0).constant();
  for (std::size_t d = 0; d < c.windows.rank(); ++d) uses *= c.result[d + 2].constant();
  return c.x.size(0).constant() >= kManyRows && uses >= kFewUses && apart > 0 && apart % kHalfPage == 0;
}

/// x with its channels as neighbours, where that pays.
Value moved(const Convolution& c, std::int64_t lanes) {
  const bool rows = is_worth_moving_rows(c, lanes);
  if (!rows && !is_worth_moving(c)) return c.x;
  const Value copy = copied(c.x);
  ir::set_layout(*copy.value->definer, rows ? first_innermost(copy.rank()) : ops::channels_last(copy.rank()));
  return copy;
}

Value prepared(const Convolution& c, std::int64_t lanes);

/// An axis whose elements lie apart (the gradient of a strided convolution), and which is walked element by element.
std::optional<std::size_t> spread_axis(const Windows& w) {
  for (std::size_t d = 0; d < w.rank(); ++d)
    if (w.base_dilation[d] > 1 && w.strides[d] == 1 && w.window_dilation[d] == 1) return d;
  return std::nullopt;
}

/// The axis of x whose elements go with kernels of their own, if the convolution is depthwise.
std::optional<std::size_t> depthwise_axis(const Convolution& c) {
  if (c.groups * c.batch_groups == 1 || c.w.size(0) != Dim(c.groups * c.batch_groups)) return std::nullopt;
  return c.batch_groups > 1 ? 0 : 1;
}

/// Sums of so many products that to copy an operand, or what they make up, costs little beside them.
constexpr std::int64_t kManyProducts = 128;

/// Is the gradient of a strided convolution one kernel, of which each phase of the result is a part? Tasks are images,
/// of which one is enough where phases are little more than stores.
/// Not where all but one are zeros, and that one is a large product: a kernel of its own spreads it.
bool is_one_kernel_in_phases(const Convolution& c) {
  constexpr std::int64_t kFewImages = 4, kMostPhases = 16;  // each is code of its own
  if (!c.channels_last || (c.result[0].constant() < kFewImages && !depthwise_axis(c))) return false;
  const auto& taps = c.windows.sizes;
  const bool is_product = c.groups * c.batch_groups == 1 &&
                          std::all_of(taps.begin(), taps.end(), [](const Dim& size) { return size == Dim(1); });
  if (is_product && c.w.size(1).constant() >= kManyProducts) return false;
  std::int64_t phases = 1;
  for (std::size_t d = 0; d < c.windows.rank(); ++d) {
    if (c.windows.base_dilation[d] == 1) continue;
    if (c.windows.strides[d] != 1) return false;
    phases *= c.windows.base_dilation[d];
  }
  return phases > 1 && phases <= kMostPhases;
}

/// Are the channels of x and of the result apart, and those of a pixel multiplied with those of one? Each image is a
/// matrix of channels x pixels then, also in a phase.
bool may_be_product_by_channels(const Convolution& c) {
  const auto& taps = c.windows.sizes;
  const std::vector<std::int64_t> strides = strides_in_place(c.x);
  return c.groups * c.batch_groups == 1 && c.is_row_major && strides[1] != 1 && strides.back() == 1 &&
         std::all_of(taps.begin(), taps.end(), [](const Dim& size) { return size == Dim(1); });
}

/// Results that are `dilation` apart see the same taps, and only those that meet elements: a convolution of each such
/// phase multiplies no zeros. Element u of `phase` is result t = u*dilation + phase; tap r meets an element where
/// t + r - low is a multiple of the dilation, so taps first, first + dilation, ... do.
Value by_phases(const Convolution& c, std::size_t d, std::int64_t lanes) {
  const std::int64_t dilation = c.windows.base_dilation[d], low = c.windows.low[d].constant(),
                     taps = c.windows.sizes[d].constant(), size = c.result[d + 2].constant(),
                     elements = c.x.size(d + 2).constant();
  const Value zero = ops::scalar(*c.x.builder, c.x.dtype(), 0);
  const std::size_t rank = c.x.rank();
  Value sum;
  Convolution part = c;
  if (may_be_product_by_channels(c)) part.channels_last = false;
  if (part.channels_last) part.x = moved(c, lanes);  // once for all phases
  for (std::int64_t phase = 0; phase < std::min(dilation, size); ++phase) {
    const std::int64_t first = ((low - phase) % dilation + dilation) % dilation;
    if (first >= taps) continue;  // zeros
    part.windows = c.windows;
    part.result = c.result;
    const std::int64_t count = (size - phase + dilation - 1) / dilation, met = (taps - first + dilation - 1) / dilation;
    Shape start(rank, 0), limit = c.w.shape();
    ir::Integers step(rank, 1), interior(rank, 0);
    start[d + 2] = first;
    step[d + 2] = dilation;
    part.w = ops::slice(c.w, start, limit, step);
    part.windows.sizes[d] = met;
    part.windows.base_dilation[d] = 1;
    part.windows.low[d] = (low - phase - first) / dilation;
    part.windows.high[d] = count - 1 + met - elements - part.windows.low[d].constant();
    part.result[d + 2] = count;
    Shape before(rank, 0), behind(rank, 0);
    before[d + 2] = phase;
    behind[d + 2] = size - phase - ((count - 1) * dilation + 1);
    interior[d + 2] = dilation - 1;
    const Value placed = ops::pad(prepared(part, lanes), zero, before, behind, interior);
    sum = sum ? sum + placed : placed;
  }
  return sum ? sum : ops::full(*c.x.builder, {c.x.dtype(), c.result}, 0);
}

/// x as direct convolutions read it, with its padding in memory where that is asked for: in the order in which it lies
/// there, but with the channels of a depthwise convolution as neighbours.
Value for_direct(const Convolution& c, bool with_padding, Windows& windows) {
  const std::vector<std::int64_t> strides = strides_in_place(c.x);
  const std::optional<std::size_t> channels = depthwise_axis(c);
  if (!with_padding && (!channels || strides[*channels] == 1)) return c.x;
  ir::Integers order(c.x.rank());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return strides[static_cast<std::size_t>(a)] > strides[static_cast<std::size_t>(b)];
  });
  if (channels) {
    const auto innermost = std::find(order.begin(), order.end(), static_cast<std::int64_t>(*channels));
    std::rotate(innermost, innermost + 1, order.end());
  }
  const Value x = with_padding ? padded(c.x, windows) : copied(c.x);
  ir::set_layout(*x.value->definer, order);
  return x;
}

/// Can the taps that meet padding be left out? That is known for windows over the result (of which no tap lies alone),
/// and worth it where each tap has many channels.
bool skips_padding(const Convolution& c) {
  constexpr std::int64_t kFewRows = 4;
  if (is_one_kernel_in_phases(c)) return true;
  for (std::size_t d = 0; d < c.windows.rank(); ++d) {
    const bool padded = c.windows.low[d] != Dim(0) || c.windows.high[d] != Dim(0);
    if (c.windows.base_dilation[d] > 1 || (padded && c.windows.sizes[d] == Dim(1))) return false;
    // The gradient of the kernels of few channels: rows of its tiles are taps, which then need the same pixels, or, of
    // a depthwise one, are cut at the ends of each row of an image.
    if (padded && sums_over_images(c, d) && c.result[0].constant() < kFewRows && !depthwise_axis(c)) return false;
  }
  return true;
}

/// The gradient of kernels, with padding: channels, of which a first layer has few, and neighbouring taps are the rows
/// of its tiles together, where they are neighbours both in x, which then has its padding in memory, and in the result.
bool interleaves_taps(const Convolution& c, bool with_padding, std::int64_t lanes) {
  return lanes >= kWideLanes && with_padding && sums_over_images(c) && c.groups * c.batch_groups == 1;
}

/// Is each element of the result a product of one pixel with the kernels?
bool has_no_windows(const Convolution& c) {
  if (c.groups * c.batch_groups > 1 || is_padded(c.windows)) return false;
  for (std::size_t d = 0; d < c.windows.rank(); ++d)
    if (c.windows.sizes[d] != Dim(1) || c.windows.strides[d] != 1) return false;
  return true;
}

/// Does x lie in memory in this order, without gaps?
bool lies_in_order(const Value& x, ir::Integers order) {
  const std::vector<std::int64_t> strides = strides_in_place(x);
  std::int64_t expected = 1;
  std::reverse(order.begin(), order.end());
  return std::all_of(order.begin(), order.end(), [&](std::int64_t axis) {
    const std::int64_t size = x.size(static_cast<std::size_t>(axis)).constant();
    return size == 1 || strides[static_cast<std::size_t>(axis)] == std::exchange(expected, expected * size);
  });
}

/// Are all images one matrix of pixels x channels in memory? Their product with the kernels, a matrix, too, then copies
/// of these what it needs as any product does.
bool is_product_of_pixels(const Convolution& c) {
  return has_no_windows(c) && lies_in_order(c.x, ops::channels_last(c.x.rank()));
}

/// The gradient of such kernels, whose transpose, that of the kernels themselves, is wanted row-major.
bool is_product_over_pixels(const Convolution& c) {
  if (c.groups * c.batch_groups > 1 || is_padded(c.windows) || !sums_over_images(c)) return false;
  for (std::size_t d = 0; d < c.windows.rank(); ++d)
    if (c.result[d + 2] != Dim(1) || c.windows.window_dilation[d] != 1) return false;
  return lies_in_order(c.x, first_innermost(c.x.rank())) && lies_in_order(c.w, first_innermost(c.w.rank()));
}

/// The kernels as tiles read them.
Value kernels_for_tiles(const Convolution& c) {
  if (is_along_channels(c.w) || is_product_of_pixels(c)) return c.w;
  return sums_over_images(c) ? along_channels(c.w) : for_tiles(c.w);
}

/// How many parts the sum over images is cut into that makes up the gradient of the kernels: threads then read the
/// images that they have, rather than all, for some of few results each. A convolution whose windows are whole images
/// forward is of the same form; its slabs are of channels. It depends on shapes and layouts, not on threads.
std::int64_t slabs_of_sum(const Convolution& c) {
  constexpr double kFewProducts = 1e6;
  if (!sums_over_images(c) || is_product_over_pixels(c)) return 1;
  if (c.groups * c.batch_groups > 1 || size_of(c.x.dtype()) < 4) return 1;
  std::int64_t results = 1;
  for (const Dim& size : c.result) results *= size.constant();
  const std::int64_t images = c.x.size(1).constant(), operands = count_of(*c.x.value) + count_of(*c.w.value);
  const std::int64_t sum = count_of(*c.w.value) / std::max<std::int64_t>(c.w.size(0).constant(), 1);
  if (static_cast<double>(results) * static_cast<double>(sum) < kFewProducts) return 1;
  for (const std::int64_t slabs : {8, 4, 2})
    if (images % slabs == 0 && images > slabs && 4 * slabs * results <= operands) return slabs;
  return 1;
}

/// The convolution as slabs of its sums, and those added up.
Value in_slabs(const Value& x, const Value& w, const Windows& windows, std::int64_t slabs, const ir::Integers& layout) {
  const std::int64_t outputs = w.size(0).constant(), each = w.size(1).constant() / slabs;
  Shape cut = w.shape(), merged = w.shape();
  cut[1] = merged[1] = each;
  cut.insert(cut.begin() + 1, slabs);
  merged[0] = slabs * outputs;
  ir::Integers order(cut.size());  // [O,S,N/S,...] -> [S,O,N/S,...]
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[0], order[1]);
  const Value grouped = ops::reshape(ops::transpose(ops::reshape(w, cut), order), merged);
  const Value partial = ops::convolution(x, grouped, windows, slabs, 1);
  ir::set_layout(*partial.value->definer, layout);
  Shape apart = partial.shape();
  apart[1] = outputs;
  apart.insert(apart.begin() + 1, slabs);
  return ops::reduce_sum(ops::reshape(partial, apart), {1});
}

Value prepared_direct(const Convolution& c, std::int64_t lanes) {
  if (gains_by_winograd(c, lanes)) return by_winograd(c);
  Windows windows = c.windows;
  const bool with_padding = is_padded(windows) && !skips_padding(c),
             interleaves = interleaves_taps(c, with_padding, lanes);
  const bool is_moved = !with_padding && (is_worth_moving(c) || is_worth_moving_rows(c, lanes));
  const Value x = is_moved ? moved(c, lanes) : for_direct(c, with_padding, windows);
  if (interleaves) ir::set_layout(*x.value->definer, first_innermost(x.rank()));
  const Value w = kernels_for_tiles(c);
  ir::Integers order = ops::channels_last(c.result.size());
  if (interleaves) std::rotate(order.begin(), order.begin() + 1, order.end() - 1);
  if (is_product_over_pixels(c)) order = first_innermost(c.result.size());
  const std::int64_t slabs = slabs_of_sum(c);
  const Value result =
      slabs > 1 ? in_slabs(x, w, windows, slabs, order) : ops::convolution(x, w, windows, c.groups, c.batch_groups);
  ir::set_layout(*result.value->definer, order);
  return result;
}

/// Do whole vectors leave a few pixels of each image? Vectors run over their output channels then, if these are
/// neighbours: see contraction_across.h. A few images pay for the copy of the kernels.
bool leaves_few_pixels(const Convolution& c, std::int64_t lanes) {
  constexpr std::int64_t kFewestImages = 4;
  if (!has_no_windows(c) || c.windows.rank() == 0 || c.x.size(0).constant() < kFewestImages) return false;
  std::int64_t pixels = 1;
  for (std::size_t d = 0; d < c.windows.rank(); ++d) pixels *= c.result[d + 2].constant();
  return !is_along_channels(c.w) && columns_across(c.w.size(0).constant(), pixels, lanes) > 0;
}

Value prepared(const Convolution& c, std::int64_t lanes) {
  if (is_one_kernel_in_phases(c)) return prepared_direct(c, lanes);
  if (const std::optional<std::size_t> axis = spread_axis(c.windows)) return by_phases(c, *axis, lanes);
  if (c.channels_last) return prepared_direct(c, lanes);
  Windows windows = c.windows;
  const Value x = is_padded(windows) ? padded(c.x, windows) : c.x;
  const std::int64_t outputs = c.w.size(0).constant() / (c.groups * c.batch_groups);
  const bool along = runs_over_channels(c, outputs, lanes) || leaves_few_pixels(c, lanes);
  return ops::convolution(x, along ? along_channels(c.w) : c.w, windows, c.groups, c.batch_groups);
}

/// Are there no windows, and channels apart in both the images and the result? Then each image is a matrix of channels
/// x pixels, and the result its product with the kernels, with vectors of pixels.
bool is_product(const Convolution& c, const ir::Integers& layout) {
  if (!has_no_windows(c) || !std::is_sorted(layout.begin(), layout.end())) return false;
  const std::vector<std::int64_t> strides = strides_in_place(c.x);
  return strides[1] != 1 && strides.back() == 1;
}

/// The same with windows, where a result is of so few products that what brings channels together costs more: few input
/// channels, or one for each output channel. But of very few products mostly stores are left, which then go to as many
/// places at once as there are channels.
bool runs_over_pixels(const Convolution& c, const ir::Integers& layout, std::int64_t lanes) {
  constexpr std::int64_t kFewChannels = 4, kFewProducts = 9;
  const Windows& windows = c.windows;
  const std::int64_t groups = c.groups * c.batch_groups, outputs = c.w.size(0).constant() / groups;
  const std::int64_t inputs = c.w.size(1).constant(), products = count_of(*c.w.value) / c.w.size(0).constant();
  const bool few = depthwise_axis(c) || (groups == 1 && inputs < kFewChannels && products >= kFewProducts);
  if (!few || windows.rank() == 0 || !std::is_sorted(layout.begin(), layout.end()) || sums_over_images(c)) return false;
  for (const std::int64_t dilation : windows.base_dilation)
    if (dilation > 1) return false;
  return windows.strides.back() == 1 && strides_in_place(c.x).back() == 1 && !runs_over_channels(c, outputs, lanes);
}

/// A convolution without windows, or the gradient of its kernels, of only those pixels that strides leave: these are
/// copied. Nothing, where strides leave all.
std::optional<Convolution> of_pixels_left(const Convolution& c) {
  const Windows& windows = c.windows;
  if (c.groups * c.batch_groups > 1) return std::nullopt;
  const bool sums = sums_over_images(c);
  Shape start(c.x.rank(), 0), limit = c.x.shape();
  ir::Integers step{1, 1};
  for (std::size_t d = 0; d < windows.rank(); ++d) {
    const Dim &taps = windows.sizes[d], &size = c.result[d + 2];
    if ((sums ? size : taps) != Dim(1) || windows.low[d] != Dim(0) || windows.base_dilation[d] > 1) return std::nullopt;
    step.push_back(sums ? windows.window_dilation[d] : windows.strides[d]);
    limit[d + 2] = ((sums ? taps : size).constant() - 1) * step.back() + 1;
    if (limit[d + 2].constant() > c.x.size(d + 2).constant()) return std::nullopt;
  }
  if (std::all_of(step.begin(), step.end(), [](std::int64_t each) { return each == 1; })) return std::nullopt;
  Convolution dense = c;
  dense.x = copied(ops::slice(c.x, start, limit, step));
  dense.windows.strides.assign(windows.rank(), 1);
  dense.windows.window_dilation.assign(windows.rank(), 1);
  dense.windows.high.assign(windows.rank(), 0);
  return dense;
}

/// A product of the pixels that strides leave: with its channels first, where to copy these costs less than to store a
/// result element by element; with its channels last, where it costs little beside the product.
std::optional<Value> thinned(const Convolution& c, const ir::Integers& layout, std::int64_t lanes) {
  const std::optional<Convolution> dense = of_pixels_left(c);
  if (!dense) return std::nullopt;
  if (is_product(*dense, layout)) return ops::convolution(dense->x, c.w, dense->windows, c.groups, c.batch_groups);
  const ir::Integers order = sums_over_images(c) ? first_innermost(c.x.rank()) : ops::channels_last(c.x.rank());
  if (!c.channels_last || c.w.size(0).constant() < kManyProducts ||
      strides_in_place(c.x)[static_cast<std::size_t>(order.back())] != 1)
    return std::nullopt;
  ir::set_layout(*dense->x.value->definer, order);
  return prepared_direct(*dense, lanes);
}

std::vector<ir::Value*> prepare(ir::Op& op, ir::Builder& builder, int vector_bytes, bool winograd) {
  if (op.def != &ops::op_convolution || !is_float(op.result()->type.dtype)) return {};
  if (ir::element_count(op.operand(0)->type.shape) == Dim(0) || ir::element_count(op.operand(1)->type.shape) == Dim(0))
    return {};
  Convolution c{{builder, op.operand(0)},
                {builder, op.operand(1)},
                Windows::of(op.attributes, trailing(op.operand(1)->type.shape)),
                op.result()->type.shape,
                op.attributes.integer("groups"),
                op.attributes.integer("batch_groups"),
                ops::suits_channels_last(op),
                winograd};
  const auto bytes = std::max<std::int64_t>(4, static_cast<std::int64_t>(size_of(op.result()->type.dtype)));
  const std::int64_t lanes = std::max<std::int64_t>(1, vector_bytes / bytes);
  const ir::Integers layout = ir::layout_of(*op.result());
  c.is_row_major = std::is_sorted(layout.begin(), layout.end());
  if (is_product(c, layout) || runs_over_pixels(c, layout, lanes)) c.channels_last = false;
  const std::optional<Value> dense = thinned(c, layout, lanes);
  Value result = dense ? *dense : prepared(c, lanes);
  if (layout != ir::layout_of(*result.value)) {
    if (ops::is_convolution(*result.value->definer)) result = copied(result);
    ir::set_layout(*result.value->definer, layout);
  }
  return {result.value};
}

}  // namespace

bool prepare_convolutions(ir::Function& function, int vector_bytes, bool winograd) {
  return ir::rewrite(function.body,
                     [&](ir::Op& op, ir::Builder& builder) { return prepare(op, builder, vector_bytes, winograd); });
}

}  // namespace pullback::lower
