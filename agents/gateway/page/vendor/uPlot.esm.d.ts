/** What the page uses of uPlot's types: none; its options are checked by what they draw. */
declare const uPlot: any;
export default uPlot;
